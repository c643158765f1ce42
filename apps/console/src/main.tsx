/** Composition root of the console: the queries kept, the live store, the pages. */
import "@mantine/core/styles/default-css-variables.layer.css";
import "./shell/mantine.css";
import "./shell/tokens.css";
import "./shell/base.css";
import "./shell/parts.css";
import "./shell/frame.css";
import { MantineProvider } from "@mantine/core";
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { createRoot } from "react-dom/client";
import { meQuery } from "./api/queries.ts";
import { RequestError } from "./api/request.ts";
import { LiveProvider } from "./live/live-context.tsx";
import { LiveStore } from "./live/live-store.ts";
import { makeRouter } from "./router.tsx";
import { useScheme } from "./shell/scheme.tsx";

const queries = new QueryClient({
  // A login that ended shows the way to a new one, wherever it is noticed.
  queryCache: new QueryCache({
    onError: (error, { queryKey }) => {
      // Whether there is a login at all is asked before a page opens, and answered by the router.
      if (queryKey === meQuery.queryKey || location.pathname === "/sign-in") return;
      if (!(error instanceof RequestError) || error.status !== 401) return;
      live.close();
      const next = encodeURIComponent(location.pathname + location.search);
      location.assign(`/sign-in?next=${next}`);
    },
  }),
  defaultOptions: {
    queries: {
      // The stream says when something is old; nothing is read again because time went by or a window got the focus.
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: (failures, error) => failures < 2 && error instanceof RequestError && error.status >= 500,
    },
  },
});
const live = new LiveStore(queries);
const router = makeRouter(queries);

function Console() {
  return (
    <MantineProvider
      theme={{ respectReducedMotion: true }}
      forceColorScheme={useScheme()}
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queries}>
        <LiveProvider store={live}>
          <RouterProvider router={router} />
        </LiveProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element with the id root");
createRoot(root).render(<Console />);
