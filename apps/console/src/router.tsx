/** The pages and their addresses. Each page is a chunk of its own; the frame and the sign-in stand apart. */
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { campaignQuery, drillQuery, meQuery, meterQuery, overviewQuery, sessionQuery } from "./api/queries.ts";
import { RequestError } from "./api/request.ts";
import { Failure } from "./shell/failure.tsx";
import { Frame } from "./shell/frame.tsx";

interface Context {
  readonly queries: QueryClient;
}

/** Any page may show the evidence of a number beside itself. */
export interface PageSearch {
  readonly evidence?: string;
}

const rootRoute = createRootRouteWithContext<Context>()({
  errorComponent: ({ error, reset }) => (
    <main>
      <Failure error={error} retry={reset} />
    </main>
  ),
  notFoundComponent: () => (
    <main>
      <h1>There is no such page</h1>
      <p>
        <a href="/">Back to the town</a>
      </p>
    </main>
  ),
});

const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/sign-in",
  component: lazyRouteComponent(() => import("./sign-in/sign-in-page.tsx"), "SignInPage"),
});

const frameRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "frame",
  component: Frame,
  validateSearch: (search: Record<string, unknown>): PageSearch => {
    const evidence = search["evidence"];
    return typeof evidence === "string" && /^[0-9a-f]{64}$/.test(evidence) ? { evidence } : {};
  },
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queries.ensureQueryData(meQuery);
    } catch (error) {
      if (error instanceof RequestError && error.status === 401)
        throw redirect({ to: "/sign-in", search: { next: location.href } as never });
      throw error;
    }
  },
  errorComponent: ({ error, reset }) => (
    <main>
      <Failure error={error} retry={reset} />
    </main>
  ),
});

const townRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/",
  loader: ({ context }) => context.queries.ensureQueryData(overviewQuery),
  component: lazyRouteComponent(() => import("./town/town-page.tsx"), "TownPage"),
});

const meterRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/meters/$systemTitle",
  loader: ({ context, params }) => context.queries.ensureQueryData(meterQuery(params.systemTitle)),
  component: lazyRouteComponent(() => import("./meter/meter-page.tsx"), "MeterPage"),
});

const sessionRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/sessions/$id",
  loader: ({ context, params }) => context.queries.ensureQueryData(sessionQuery(params.id)),
  component: lazyRouteComponent(() => import("./session/session-page.tsx"), "SessionPage"),
});

const drillHomeRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/drill",
  component: lazyRouteComponent(() => import("./drill/drill-home.tsx"), "DrillHome"),
});

const drillRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/drill/$id",
  loader: ({ context, params }) => context.queries.ensureQueryData(drillQuery(params.id)),
  component: lazyRouteComponent(() => import("./drill/drill-page.tsx"), "DrillPage"),
});

const decodeRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/decode",
  component: lazyRouteComponent(() => import("./decode/decode-page.tsx"), "DecodePage"),
});

const ledgerRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/ledger",
  component: lazyRouteComponent(() => import("./ledger/ledger-page.tsx"), "LedgerPage"),
});

const pkiRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/certificates",
  component: lazyRouteComponent(() => import("./pki/pki-page.tsx"), "PkiPage"),
});

const fieldRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/field",
  component: lazyRouteComponent(() => import("./field/field-page.tsx"), "FieldPage"),
});

const workRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/work",
  component: lazyRouteComponent(() => import("./work/work-page.tsx"), "WorkPage"),
});

const campaignRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/work/$id",
  loader: ({ context, params }) => context.queries.ensureQueryData(campaignQuery(params.id)),
  component: lazyRouteComponent(() => import("./work/campaign-page.tsx"), "CampaignPage"),
});

const rulesRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/rules",
  component: lazyRouteComponent(() => import("./work/rules-page.tsx"), "RulesPage"),
});

const approvalsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/approvals",
  component: lazyRouteComponent(() => import("./work/approvals-page.tsx"), "ApprovalsPage"),
});

const blastRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/blast",
  component: lazyRouteComponent(() => import("./blast/blast-page.tsx"), "BlastPage"),
});

const slaRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/sla",
  component: lazyRouteComponent(() => import("./sla/sla-page.tsx"), "SlaPage"),
});

const peopleRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/people",
  component: lazyRouteComponent(() => import("./people/people-page.tsx"), "PeoplePage"),
});

const organisationRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/sign-in/organisation",
  component: lazyRouteComponent(() => import("./sign-in/organisation-page.tsx"), "OrganisationPage"),
});

const accountRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/account",
  component: lazyRouteComponent(() => import("./sign-in/account-page.tsx"), "AccountPage"),
});

const tree = rootRoute.addChildren([
  signInRoute,
  organisationRoute,
  frameRoute.addChildren([
    townRoute,
    meterRoute,
    sessionRoute,
    drillHomeRoute,
    drillRoute,
    decodeRoute,
    ledgerRoute,
    pkiRoute,
    fieldRoute,
    workRoute,
    campaignRoute,
    rulesRoute,
    approvalsRoute,
    blastRoute,
    slaRoute,
    peopleRoute,
    accountRoute,
  ]),
]);

export function makeRouter(queries: QueryClient) {
  return createRouter({ routeTree: tree, context: { queries }, defaultPreload: false, scrollRestoration: false });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
