/**
 * Where a window may stand: as it did, if there is still a screen there. All numbers are in units that do not depend on a
 * screen's scale, as Electron's are.
 */
export type Box = { x: number; y: number; width: number; height: number };
export type Screen = { workArea: Box; scaleFactor: number };

/** So much of a window must be seen for a person to find and move it. */
const leastSeen = { width: 120, height: 60 };

function overlap(first: Box, second: Box): { width: number; height: number } {
  return {
    width: Math.min(first.x + first.width, second.x + second.width) - Math.max(first.x, second.x),
    height: Math.min(first.y + first.height, second.y + second.height) - Math.max(first.y, second.y),
  };
}

/** The screen that shows most of a box, if any shows enough of it. */
export function screenOf<S extends Screen>(box: Box, screens: readonly S[]): S | null {
  let best: S | null = null;
  let bestArea = 0;
  for (const screen of screens) {
    const seen = overlap(box, screen.workArea);
    const isEnough = seen.width >= Math.min(leastSeen.width, box.width) && seen.height >= leastSeen.height;
    if (isEnough && seen.width * seen.height > bestArea) {
      best = screen;
      bestArea = seen.width * seen.height;
    }
  }
  return best;
}

/**
 * The bounds that a window gets: those that it had, no larger than its screen, its title bar within reach. Where its screen is
 * gone, the middle of the first one, in the size that it had.
 */
export function fitBounds(kept: Box, screens: readonly [Screen, ...Screen[]]): Box {
  const screen = screenOf(kept, screens);
  const { workArea } = screen ?? screens[0];
  const width = Math.min(kept.width, workArea.width);
  const height = Math.min(kept.height, workArea.height);
  if (!screen)
    return {
      x: Math.round(workArea.x + (workArea.width - width) / 2),
      y: Math.round(workArea.y + (workArea.height - height) / 2),
      width,
      height,
    };
  // It may reach over an edge at the sides and below, as the person had it, but never above: the title bar moves it.
  const lowest = workArea.y + workArea.height - leastSeen.height;
  const y = Math.min(Math.max(kept.y, workArea.y), lowest);
  const x = Math.min(
    Math.max(kept.x, workArea.x - width + leastSeen.width),
    workArea.x + workArea.width - leastSeen.width,
  );
  return { x, y, width, height };
}
