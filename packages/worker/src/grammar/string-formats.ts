import type { Expression } from "./gbnf.ts";

const month = '("0" [1-9] | "1" [0-2])';
// The first 28 days are in every month.
const day = '("0" [1-9] | "1" [0-9] | "2" [0-8])';
const date = `([0-9]{3} [1-9] "-" ${month} "-" ${day})`;
const clock = '(([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})?)';
const zone = '("Z" | [-+] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9])';
const label = "([a-zA-Z0-9] ([a-zA-Z0-9-]{0,20} [a-zA-Z0-9])?)";
const host = `(${label} ("." ${label}){0,5})`;
const byte = '("25" [0-5] | "2" [0-4] [0-9] | "1" [0-9]{2} | [1-9] [0-9] | [0-9])';
const pathCharacter = "[a-zA-Z0-9._~/@:+-]";

/** The insides of strings of the formats that are enforced: not every such string, but only such strings. */
export const stringFormats: Readonly<Record<string, Expression>> = {
  date,
  time: `(${clock} ${zone})`,
  "date-time": `(${date} "T" ${clock} ${zone})`,
  duration:
    '("P" ([0-9]{1,4} "D" ("T" [0-9]{1,4} "H")? | "T" ([0-9]{1,4} "H" ([0-9]{1,2} "M")? | [0-9]{1,4} "M" ([0-9]{1,2} "S")? | [0-9]{1,6} "S")))',
  email: `([a-zA-Z0-9] [a-zA-Z0-9_+-]{0,40} ("." [a-zA-Z0-9_+-]{1,40}){0,2} "@" ${label} ("." ${label}){0,3} "." [a-z]{2,10})`,
  hostname: host,
  ipv4: `(${byte} ("." ${byte}){3})`,
  ipv6: '([0-9a-f]{1,4} (":" [0-9a-f]{1,4}){7})',
  uri: `([a-z]{2,8} "://" ${host} ("/" ${pathCharacter}{0,200})? ("?" [a-zA-Z0-9._~=&+-]{0,200})?)`,
  uuid: '([0-9a-f]{8} "-" [0-9a-f]{4} "-" [1-5] [0-9a-f]{3} "-" [89ab] [0-9a-f]{3} "-" [0-9a-f]{12})',
};
