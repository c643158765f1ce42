/** A sign-in link for somebody: shown this once. */
export function OnceLink({ name, url }: { name: string; url: string }) {
  return (
    <p className="once-link" role="status">
      {name} signs in with this link, once, within an hour: <code>{url}</code>
    </p>
  );
}
