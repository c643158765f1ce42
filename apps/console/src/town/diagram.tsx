/** The town as a one-line diagram. One stop of the tab key; arrows move inside; Enter opens a meter. */
import type { GridView, MeterSummary } from "@meterkeep/api";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, type MouseEvent, memo, useDeferredValue, useMemo, useRef, useState } from "react";
import { useWidth } from "../shell/use-width.ts";
import { FeederLane } from "./feeder-lane.tsx";
import { densityFor, gutterFor, layoutLane } from "./layout.ts";
import { Readout } from "./readout.tsx";
import { isRovingKey, moveFocus, spotsOf } from "./roving.ts";
import { feederFacts } from "./summary.ts";

interface DiagramProps {
  readonly grid: GridView;
  readonly meters: ReadonlyMap<string, MeterSummary>;
  readonly shown: ReadonlySet<string> | undefined;
}

export const Diagram = memo(function Diagram({ grid, meters, shown }: DiagramProps) {
  const navigate = useNavigate();
  const [measure, measured] = useWidth<HTMLElement>();
  const width = Math.max(240, Math.floor(measured));
  const root = useRef<HTMLElement>(null);
  const [current, setCurrent] = useState<string>();
  const [pointed, setPointed] = useState<string>();

  const density = useMemo(() => densityFor(Math.max(0, ...grid.feeders.map(({ homes }) => homes.length))), [grid]);
  const lanes = useMemo(
    () =>
      grid.feeders.map((feeder) => ({
        feeder,
        transformer: feeder.transformer.meter,
        transformerX: gutterFor(width).transformerX,
        layout: layoutLane(feeder.homes, width, density),
      })),
    [grid, width, density],
  );
  const spots = useMemo(() => spotsOf(lanes), [lanes]);
  const facts = useMemo(() => feederFacts(grid, meters), [grid, meters]);
  const reachable = current ?? spots[0]?.meter;
  // Thousands of homes are drawn after the first painting, into the room that is kept for them.
  const homesDrawn = useDeferredValue(true, density.stem !== 0);

  const onKeyDown = (event: KeyboardEvent) => {
    if (!isRovingKey(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = moveFocus(spots, reachable, event.key);
    root.current?.querySelector<SVGAElement>(`[data-meter="${next}"]`)?.focus();
  };
  const onClick = (event: MouseEvent) => {
    const meter = meterAt(event.target);
    if (meter === undefined || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    void navigate({ to: "/meters/$systemTitle", params: { systemTitle: meter } });
  };

  return (
    <div className="diagram">
      <p className="substation">
        <strong>{grid.substation.name}</strong>
        {/substation/i.test(grid.substation.name) ? null : <span className="dim"> substation</span>}
      </p>
      <section
        aria-label="Homes, feeder by feeder"
        ref={(element) => {
          root.current = element;
          return measure(element);
        }}
        className={density.stem === 0 ? "lanes dense" : "lanes"}
        onKeyDown={onKeyDown}
        onClick={onClick}
        onFocus={(event) => setCurrent((before) => meterAt(event.target) ?? before)}
        onPointerOver={(event) => setPointed(meterAt(event.target))}
        onPointerLeave={() => setPointed(undefined)}
      >
        {measured === 0
          ? null
          : lanes.map(({ feeder, transformer, layout }, index) => (
              <FeederLane
                key={feeder.id}
                feeder={feeder}
                facts={facts[index]!}
                layout={layout}
                density={density}
                homes={feeder.homes.map((home) => meters.get(home))}
                transformer={transformer === undefined ? undefined : meters.get(transformer)}
                shown={shown}
                reachable={inLane(feeder, reachable) ? reachable : undefined}
                last={index === lanes.length - 1}
                homesDrawn={homesDrawn}
              />
            ))}
      </section>
      <Readout meter={meters.get(pointed ?? current ?? "")} />
    </div>
  );
});

function inLane(feeder: GridView["feeders"][number], meter: string | undefined): boolean {
  return meter !== undefined && (feeder.transformer.meter === meter || feeder.homes.includes(meter));
}

function meterAt(target: EventTarget): string | undefined {
  return target instanceof Element
    ? (target.closest("[data-meter]")?.getAttribute("data-meter") ?? undefined)
    : undefined;
}
