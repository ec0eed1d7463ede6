export {
  addressTowards,
  isLoopback,
  isLoopbackHost,
  lanAddress,
  plainAddress,
  senderAddress,
  urlHost,
} from "./addresses.ts";
export { fetchThrough, hiveAgent } from "./agent.ts";
