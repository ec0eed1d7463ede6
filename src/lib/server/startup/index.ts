export { prepareHome } from "./folders.ts";
export {
  listensEverywhere,
  listensLocally,
  reachableHost,
  refuseSecondStart,
  removeRunFile,
  writeRunFile,
} from "./run-file.ts";
export { StartError } from "./start-error.ts";
export { startReport, type StartReport } from "./start-report.ts";
