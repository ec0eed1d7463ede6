export { addressTowards, isLoopback, isLoopbackHost, lanAddress, plainAddress, urlHost } from "./addresses.ts";
export { fetchThrough, hiveAgent } from "./agent.ts";
