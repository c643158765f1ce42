// The contract of the key service, the custodian's HTTP API for head-ends of any vendor (ADR 0018).
export { keyServiceOpenApi } from "./openapi.ts";
export {
  KEY_SERVICE_PROBLEM_CODES,
  KEY_SERVICE_PROBLEMS,
  KeyServiceProblem,
  type KeyServiceProblemCode,
} from "./problem.ts";
export {
  KEY_SERVICE_PAGES,
  KEY_SERVICE_ROUTES,
  type KeyServiceBody,
  type KeyServiceResults,
  type KeyServiceRoute,
  type KeyServiceRouteName,
} from "./routes.ts";
export { OCTET_FORMS, type OctetForm, Self } from "./schemas.ts";
export { bodyValidator, responseValidator, type Validated } from "./validate.ts";
