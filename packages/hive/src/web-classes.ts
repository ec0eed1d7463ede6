import { install } from "undici";

/**
 * The web's classes (`Request`, `Response`, `fetch`, …) come from the undici that this program brings anyway. Node's own
 * copy of the same library is loaded when the first of them is touched, and would take another 8 MB.
 */
install();
