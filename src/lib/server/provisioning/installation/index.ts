export { installOn } from "./install.ts";
export { rollBack } from "./rollback.ts";
export { startManaged, stopManaged } from "./start-stop.ts";
export { uninstall } from "./uninstall.ts";
