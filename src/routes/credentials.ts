import { passwordSchema, userNameSchema } from "@rbee/contract";
import * as z from "zod";

/** Name and password of a new account. */
export const credentialsSchema = z.object({ name: userNameSchema, password: passwordSchema });
