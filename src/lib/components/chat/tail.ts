/** How near to the end still counts as reading the newest line, in pixels. */
const nearPx = 48;
/** A scroll this soon after a wheel, a touch or a key is the reader's own. */
const ownScrollMs = 400;
const gestures = ["wheel", "touchmove", "pointerdown", "keydown"] as const;

export interface Tail {
  /** For `{@attach}`: keeps the box at its end while it grows, until the reader scrolls away from there. */
  attach(box: HTMLElement): () => void;
  /** Goes to the end and stays there again. */
  toEnd(): void;
}

/** Follows the newest line of a scrolling box; `onFollowing` hears when it stops and starts again. */
export function createTail(onFollowing: (following: boolean) => void): Tail {
  let box: HTMLElement | null = null;
  let following = true;
  let lastTop = 0;
  let lastGestureAt = -Infinity;

  const set = (value: boolean) => {
    if (value === following) return;
    following = value;
    onFollowing(value);
  };
  const stay = () => {
    if (following && box !== null) box.scrollTop = box.scrollHeight;
  };
  const onGesture = () => {
    lastGestureAt = performance.now();
  };
  const onScroll = () => {
    if (box === null) return;
    const distance = box.scrollHeight - box.clientHeight - box.scrollTop;
    // An answer that shrinks and grows again moves the box upwards too: only the reader's own move counts.
    const isOwn = performance.now() - lastGestureAt < ownScrollMs;
    if (distance <= nearPx) set(true);
    else if (isOwn && box.scrollTop < lastTop) set(false);
    lastTop = box.scrollTop;
  };

  return {
    attach(element) {
      box = element;
      const observer = new ResizeObserver(stay);
      observer.observe(element);
      for (const child of element.children) observer.observe(child);
      element.addEventListener("scroll", onScroll, { passive: true });
      for (const gesture of gestures) element.addEventListener(gesture, onGesture, { passive: true });
      stay();
      return () => {
        observer.disconnect();
        element.removeEventListener("scroll", onScroll);
        for (const gesture of gestures) element.removeEventListener(gesture, onGesture);
        box = null;
      };
    },
    toEnd() {
      set(true);
      stay();
    },
  };
}
