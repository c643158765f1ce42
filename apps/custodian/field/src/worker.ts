/**
 * The service worker: the page is there without a network once it has been open. It keeps our own files and nothing else:
 * no answer of the custodian, no lease, no key passes through it.
 */
interface WorkerScope {
  readonly location: { readonly origin: string };
  addEventListener(type: "install" | "activate", listener: (event: Lasting) => void): void;
  addEventListener(type: "fetch", listener: (event: Fetching) => void): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
}
interface Lasting {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Lasting {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

const scope = self as unknown as WorkerScope;
/** The server puts the fingerprint of all files in its place: another build is another cache. */
const CACHE = "field-@@BUILD@@";
const FILES = ["/", "/page.js", "/page.css", "/field.webmanifest", "/icon.svg", "/build.json"];

scope.addEventListener("install", (event) => {
  const keep = async () =>
    (await caches.open(CACHE)).addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
  event.waitUntil(keep().then(() => scope.skipWaiting()));
});

scope.addEventListener("activate", (event) => {
  const clear = async () => {
    for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
    await scope.clients.claim();
  };
  event.waitUntil(clear());
});

scope.addEventListener("fetch", (event) => {
  const { url, method } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== scope.location.origin || !FILES.includes(pathname)) return;
  const answer = async () => (await (await caches.open(CACHE)).match(pathname)) ?? fetch(event.request);
  event.respondWith(answer());
});
