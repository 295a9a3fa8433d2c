/**
 * What a person cannot read or press, found by measuring the page. Each function runs in the page and answers with one line for each
 * finding.
 */
import type { Page } from 'playwright-core';

/** Words that are cut off without a sign of it, and words that stand outside of their button or of the window. */
export function lostText(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const isHidden = (element: Element): boolean => {
      const { width, height } = element.getBoundingClientRect();
      return width <= 1 || height <= 1 || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      const words = node.textContent?.trim() ?? '';
      // What is drawn over a picture of a page is that picture's, and has its own measures.
      if (!element || words === '' || isHidden(element) || element.closest('.pdf-words, script, style, option'))
        continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      if (box.width <= 1) continue;
      const where = `“${words.slice(0, 60)}” in ${element.outerHTML.slice(0, 120)}`;
      // The nearest element that cuts what is wider than itself.
      for (let cutter: Element | null = element; cutter; cutter = cutter.parentElement) {
        const style = getComputedStyle(cutter);
        if (/auto|scroll/.test(style.overflowX)) break; // One can scroll to it.
        const frame = cutter.getBoundingClientRect();
        if (/hidden|clip/.test(style.overflowX) && cutter !== document.body && cutter !== document.documentElement) {
          const isSigned = style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none';
          if (isSigned || cutter.closest('[title]')) break;
          if (frame.width > 1 && (box.right > frame.right + 1 || box.left < frame.left - 1))
            found.push(`cut off: ${where}`);
          break;
        }
        if (cutter.matches('button, [role=menuitem], [role=option], select, summary')) {
          if (box.right > frame.right + 1 || box.left < frame.left - 1) found.push(`outside of its button: ${where}`);
        }
        if (cutter === document.body && (box.right > innerWidth + 1 || box.left < -1))
          found.push(`outside of the window: ${where}`);
      }
    }
    // A view scrolls down; only what is wide by nature (code, tables, a page) scrolls sideways.
    for (const element of document.querySelectorAll('div, main, section, aside')) {
      const { overflowY, overflowX } = getComputedStyle(element);
      if (!/auto|scroll/.test(overflowY) || !/auto|scroll/.test(overflowX) || isHidden(element)) continue;
      if (element.classList.contains('overflow-x-auto') || element.querySelector('.pdf-words')) continue;
      const tooWide = element.scrollWidth - element.clientWidth;
      if (tooWide > 1) found.push(`scrolls sideways by ${tooWide}: ${element.outerHTML.slice(0, 160)}`);
    }
    return [...new Set(found)];
  });
}

/** Controls in sight that lie over each other, so that one takes what is meant for the other. */
export function coveredControls(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const dialog = document.querySelector('[role=dialog]');
    const scope: ParentNode = dialog ?? document;
    const found: string[] = [];
    const controls = [
      ...scope.querySelectorAll('button, input, select, textarea, [role=menuitem], [role=slider], [role=switch]'),
    ];
    for (const control of controls) {
      if (!control.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      if (getComputedStyle(control).pointerEvents === 'none') continue;
      const { left, top, width, height } = control.getBoundingClientRect();
      if (width <= 1 || height <= 1) continue;
      const [x, y] = [left + width / 2, top + height / 2];
      if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) continue;
      // Scrolled out of sight within its list.
      let inSight = true;
      for (let parent = control.parentElement; parent; parent = parent.parentElement) {
        if (
          !/auto|scroll|hidden|clip/.test(`${getComputedStyle(parent).overflowY} ${getComputedStyle(parent).overflowX}`)
        )
          continue;
        const frame = parent.getBoundingClientRect();
        if (x < frame.left || x > frame.right || y < frame.top || y > frame.bottom) inSight = false;
      }
      if (!inSight) continue;
      const front = document.elementFromPoint(x, y);
      // A panel over the view, in a window with no room beside it: it is closed to get at what is below.
      const panel = front?.closest('aside, [role=complementary]');
      const isPanelOver = panel?.parentElement && getComputedStyle(panel.parentElement).position === 'absolute';
      if (isPanelOver && !panel.contains(control)) continue;
      const isOwn =
        front !== null &&
        (control.contains(front) || front.contains(control) || front.closest('label')?.contains(control));
      if (!isOwn) found.push(`${control.outerHTML.slice(0, 140)} lies under ${front?.outerHTML.slice(0, 100)}`);
    }
    return found;
  });
}
