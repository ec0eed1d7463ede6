/** How near to the end still counts as reading the newest line, in pixels. */
const nearPx = 48;

/**
 * Keeps a scrolling box at its end while it grows, until the reader scrolls away from there.
 * Returns the attachment's clean-up.
 */
export function followTail(box: HTMLElement, onFollowing: (following: boolean) => void): () => void {
  let following = true;
  let lastTop = box.scrollTop;
  const set = (value: boolean) => {
    if (value === following) return;
    following = value;
    onFollowing(value);
  };
  const onScroll = () => {
    const distance = box.scrollHeight - box.clientHeight - box.scrollTop;
    if (box.scrollTop < lastTop && distance > nearPx) set(false);
    else if (distance <= nearPx) set(true);
    lastTop = box.scrollTop;
  };
  const onGrowth = () => {
    if (following) box.scrollTop = box.scrollHeight;
  };
  const observer = new ResizeObserver(onGrowth);
  observer.observe(box);
  for (const child of box.children) observer.observe(child);
  box.addEventListener("scroll", onScroll, { passive: true });
  onGrowth();
  return () => {
    observer.disconnect();
    box.removeEventListener("scroll", onScroll);
  };
}
