/** The field that finds meters by what is typed; `/` goes to it. */
export function FindMeter({ text, change }: { text: string; change: (text: string) => void }) {
  return (
    <label>
      <span className="visually-hidden">Find a meter</span>
      <input
        id="find"
        type="search"
        className="field"
        placeholder="Label, system title, trust …"
        aria-keyshortcuts="/"
        value={text}
        onChange={(event) => change(event.currentTarget.value)}
      />
    </label>
  );
}
