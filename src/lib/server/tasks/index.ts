export { createTasks, type TasksService } from "./tasks.ts";
export type * from "./types.ts";
