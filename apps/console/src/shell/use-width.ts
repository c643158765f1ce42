import { type RefCallback, useCallback, useState } from "react";

/**
 * The width of an element's content, px: known before the first painting, so that what is drawn by it does not push the page
 * about, and followed from then on. 0 until the element is there.
 */
export function useWidth<T extends HTMLElement>(): readonly [
  (element: T | null) => ReturnType<RefCallback<T>>,
  number,
] {
  const [width, setWidth] = useState(0);
  const measure = useCallback((element: T | null) => {
    if (element === null) return;
    setWidth(contentWidth(element));
    const observer = new ResizeObserver(() => setWidth(contentWidth(element)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [measure, width];
}

function contentWidth(element: HTMLElement): number {
  const { paddingLeft, paddingRight } = getComputedStyle(element);
  return element.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight);
}
