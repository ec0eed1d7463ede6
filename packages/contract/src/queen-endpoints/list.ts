import * as z from "zod";

/** `{data: […]}`: how lists are answered. */
export const list = <S extends z.ZodType>(item: S) => z.object({ data: z.array(item) });
