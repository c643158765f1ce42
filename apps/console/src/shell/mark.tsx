/** The sign of the house: a keep with a needle in it. */
export function KeepMark() {
  return (
    <svg className="keep-mark" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <path className="keep-body" d="M3 3h6v4h4V3h6v4h4V3h6v17a9 9 0 0 1-9 9h-8a9 9 0 0 1-9-9z" />
      <path className="keep-scale" d="M8.5 20.5a7.5 7.5 0 0 1 15 0" />
      <path className="keep-needle" d="M16 20.5l4-5" />
    </svg>
  );
}
