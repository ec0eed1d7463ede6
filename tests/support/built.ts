/** Global set-up of the suites that run real processes: everything they start is built from the tree as it is. */
export { ensureBuilt as default } from "../../scripts/prepare.js";
