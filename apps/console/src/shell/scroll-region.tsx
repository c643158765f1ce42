import type { ReactNode } from "react";

/** A part of the page that scrolls by itself. It takes the focus, because only then do the arrow keys reach what is out of sight (WCAG 2.2, 2.1.1). */
export function ScrollRegion({
  label,
  className,
  children,
}: {
  label: string;
  className: string;
  children: ReactNode;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard; axe demands it (scrollable-region-focusable)
    <section className={className} tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
