/** Where an arrow key leads on a wall of `count` cells, `perRow` a row; undefined for other keys. */
export function moveInWall(at: number, key: string, count: number, perRow: number): number | undefined {
  const moves: Readonly<Record<string, number>> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - perRow,
    ArrowDown: at + perRow,
    Home: 0,
    End: count - 1,
  };
  const to = moves[key];
  if (to === undefined) return undefined;
  return to >= 0 && to < count ? to : at;
}
