/** A request of EST that is refused, with the status of HTTP that says so. */
export class EstRefusal extends Error {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 415 | 429 | 501;

  constructor(status: EstRefusal["status"], message: string) {
    super(message);
    this.name = "EstRefusal";
    this.status = status;
  }
}
