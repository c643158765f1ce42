/** What stands around every page: the way in, the clock, whether it is live, the way to everything else. */

import { IconKeyboard, IconUser } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { configQuery, overviewQuery } from "../api/queries.ts";
import { useLive, useLiveStore } from "../live/live-context.tsx";
import { LiveBadge, LostBanner, TownClock } from "./live-badge.tsx";
import { KeepMark } from "./mark.tsx";
import { SchemeButton, toggleScheme } from "./scheme.tsx";
import { readKey, type ShortcutAction } from "./shortcuts.ts";
import { singleKeysOn } from "./single-keys.ts";

const ShortcutList = lazy(() => import("./shortcut-list.tsx").then((m) => ({ default: m.ShortcutList })));
const EvidencePanel = lazy(() => import("../evidence/evidence-panel.tsx").then((m) => ({ default: m.EvidencePanel })));

const PAGES = [
  { to: "/", name: "Town" },
  { to: "/sla", name: "Service level" },
  { to: "/work", name: "Work" },
  { to: "/approvals", name: "Approvals" },
  { to: "/blast", name: "Blast" },
  { to: "/drill", name: "Drill" },
  { to: "/decode", name: "Decode" },
  { to: "/ledger", name: "Ledger" },
  { to: "/certificates", name: "Certificates" },
  { to: "/people", name: "People" },
  { to: "/field", name: "Field" },
] as const;

export function Frame() {
  const store = useLiveStore();
  const overview = useQuery(overviewQuery);
  useQuery(configQuery);
  const lost = useLive((live) => live.connection === "lost");
  const { evidence } = useSearch({ from: "/frame" });
  const path = useRouterState({ select: (state) => state.location.pathname });
  const [listing, setListing] = useState(false);
  const main = useRef<HTMLElement>(null);
  useShortcuts(() => setListing(true));
  useFocusOnNewPage(path, main);

  useEffect(() => {
    if (overview.data !== undefined) store.open(overview.data);
  }, [store, overview.data]);

  return (
    <div className={lost ? "frame stream-lost" : "frame"}>
      <a className="skip-link" href="#main">
        Skip to the page
      </a>
      <header className="frame-head">
        <Link to="/" className="brand" aria-label="Meterkeep, the town">
          <KeepMark />
          <span className="brand-name">Meterkeep</span>
        </Link>
        <nav aria-label="Pages" className="pages">
          {PAGES.map(({ to, name }) => (
            <Link key={to} to={to} activeOptions={{ exact: to === "/" }} className="page-link">
              {name}
            </Link>
          ))}
        </nav>
        <div className="frame-state">
          <TownClock />
          <LiveBadge />
        </div>
        <div className="frame-tools">
          <button
            type="button"
            className="icon-button"
            onClick={() => setListing(true)}
            aria-label="Keyboard shortcuts"
            aria-keyshortcuts="?"
          >
            <IconKeyboard size={18} aria-hidden />
          </button>
          <SchemeButton />
          <Link to="/account" className="icon-button" aria-label="Your account">
            <IconUser size={18} aria-hidden />
          </Link>
        </div>
      </header>
      <LostBanner />
      <main id="main" ref={main} tabIndex={-1}>
        <Outlet />
      </main>
      <Suspense>
        {listing ? <ShortcutList onClose={() => setListing(false)} /> : null}
        {evidence === undefined ? null : <EvidencePanel hash={evidence} />}
      </Suspense>
    </div>
  );
}

/** A new page takes the focus to its beginning, as a loaded page would; the first one leaves it to the browser. */
function useFocusOnNewPage(path: string, main: React.RefObject<HTMLElement | null>) {
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    main.current?.focus({ preventScroll: true });
    scrollTo({ top: 0 });
  }, [path, main]);
}

function useShortcuts(list: () => void) {
  const navigate = useNavigate();
  const held = useRef<string>(undefined);
  useEffect(() => {
    const actions: Record<ShortcutAction, () => void> = {
      town: () => void navigate({ to: "/" }),
      decode: () => void navigate({ to: "/decode" }),
      drill: () => void navigate({ to: "/drill" }),
      ledger: () => void navigate({ to: "/ledger" }),
      field: () => void navigate({ to: "/field" }),
      sla: () => void navigate({ to: "/sla" }),
      work: () => void navigate({ to: "/work" }),
      approvals: () => void navigate({ to: "/approvals" }),
      blast: () => void navigate({ to: "/blast" }),
      people: () => void navigate({ to: "/people" }),
      certificates: () => void navigate({ to: "/certificates" }),
      find: () => void navigate({ to: "/", hash: "find" }),
      scheme: toggleScheme,
      shortcuts: list,
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.key !== "?" && !singleKeysOn()) return;
      const read = readKey(held.current, event.key);
      held.current = read.held;
      if (read.action === undefined) return;
      event.preventDefault();
      actions[read.action]();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [navigate, list]);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest("input, textarea, select, [contenteditable], dialog, [role=dialog]") !== null
  );
}
