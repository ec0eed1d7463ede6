import { en } from "./en/index.ts";

/** Every sentence the dashboard shows. A second language is a second folder of the same shape, chosen here. */
export const words = en;
