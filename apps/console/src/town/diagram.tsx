/** The town as a one-line diagram. One stop of the tab key; arrows move inside; Enter opens a meter. */
import type { GridView, MeterSummary } from "@meterkeep/api";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, type MouseEvent, memo, useMemo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { useWidth } from "../shell/use-width.ts";
import { FeederLane } from "./feeder-lane.tsx";
import { densityFor, gutterFor, homeAt, layoutLane } from "./layout.ts";
import { Readout } from "./readout.tsx";
import { isRovingKey, moveFocus, spotsOf } from "./roving.ts";
import { feederFacts } from "./summary.ts";

interface DiagramProps {
  readonly grid: GridView;
  readonly meters: ReadonlyMap<string, MeterSummary>;
  readonly shown: ReadonlySet<string> | undefined;
  /** The feeder that alone is singled out. */
  readonly chosen: string | undefined;
  readonly choose: (feeder: string | undefined) => void;
}

export const Diagram = memo(function Diagram({ grid, meters, shown, chosen, choose }: DiagramProps) {
  const navigate = useNavigate();
  const [measure, measured] = useWidth<HTMLElement>();
  const width = Math.max(240, Math.floor(measured));
  const root = useRef<HTMLElement>(null);
  const [current, setCurrent] = useState<string>();
  const [pointed, setPointed] = useState<string>();
  const [halos, setHalos] = useState(true);

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
  const onKeyDown = (event: KeyboardEvent) => {
    if (!isRovingKey(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = moveFocus(spots, reachable, event.key);
    // Among crowded homes only the reachable one is a link: it must be there before it can take the focus.
    flushSync(() => setCurrent(next));
    root.current?.querySelector<SVGAElement>(`[data-meter="${next}"]`)?.focus();
  };
  const onClick = (event: MouseEvent) => {
    const meter = meterAt(event.target) ?? crowdedHomeAt(event);
    if (meter === undefined || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    void navigate({ to: "/meters/$systemTitle", params: { systemTitle: meter } });
  };

  /** Homes without elements of their own are found by their place. */
  const crowdedHomeAt = ({ target, clientX, clientY }: MouseEvent) => {
    const picture = density.crowded && target instanceof Element ? target.closest("svg[data-feeder]") : null;
    const lane = lanes.find(({ feeder }) => feeder.id === picture?.getAttribute("data-feeder"));
    if (picture === null || lane === undefined) return undefined;
    const { left, top } = picture.getBoundingClientRect();
    return homeAt(lane.layout, density, clientX - left, clientY - top)?.meter;
  };
  const onPoint = (event: MouseEvent) => setPointed(meterAt(event.target) ?? crowdedHomeAt(event));

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
        className={`lanes ${density.crowded ? "crowded" : halos ? "halos" : ""}`}
        onKeyDown={onKeyDown}
        onClick={onClick}
        onFocus={(event) => setCurrent((before) => meterAt(event.target) ?? before)}
        onPointerOver={onPoint}
        {...(density.crowded ? { onPointerMove: onPoint } : {})}
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
                chosen={chosen === feeder.id}
                choose={choose}
                pointed={density.crowded && inLane(feeder, pointed) ? pointed : undefined}
              />
            ))}
      </section>
      <div className="diagram-foot">
        <Readout meter={meters.get(pointed ?? current ?? "")} />
        {density.crowded ? null : (
          // What moves by itself can be stopped (WCAG 2.2, 2.2.2).
          <label className="halo-choice">
            <input type="checkbox" checked={halos} onChange={(event) => setHalos(event.currentTarget.checked)} />
            Show readings as they come
          </label>
        )}
      </div>
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
