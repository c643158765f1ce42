import { IconMoon, IconSun } from "@tabler/icons-react";
import { useSyncExternalStore } from "react";

/** Light or dark. `public/scheme.js` sets it before the first paint; this changes it and keeps the choice. */
const STORAGE_KEY = "meterkeep-color-scheme";
const ATTRIBUTE = "data-mantine-color-scheme";
const CHANGED = "meterkeep-scheme";

export function currentScheme(): "light" | "dark" {
  return document.documentElement.getAttribute(ATTRIBUTE) === "dark" ? "dark" : "light";
}

export function toggleScheme(): void {
  const next = currentScheme() === "dark" ? "light" : "dark";
  document.documentElement.setAttribute(ATTRIBUTE, next);
  try {
    localStorage.setItem(STORAGE_KEY, next);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  dispatchEvent(new Event(CHANGED));
}

/** The scheme, and a new drawing whenever it changes (charts draw their own colours). */
export function useScheme(): "light" | "dark" {
  return useSyncExternalStore((listener) => {
    addEventListener(CHANGED, listener);
    return () => removeEventListener(CHANGED, listener);
  }, currentScheme);
}

export function SchemeButton() {
  const scheme = useScheme();
  const next = scheme === "dark" ? "light" : "dark";
  return (
    <button type="button" className="icon-button" onClick={toggleScheme} aria-label={`Switch to ${next} mode`}>
      {scheme === "dark" ? <IconSun size={18} aria-hidden /> : <IconMoon size={18} aria-hidden />}
    </button>
  );
}
