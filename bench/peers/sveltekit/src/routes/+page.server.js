import { count, list } from '$lib/server/store'

export function load ({ url }) {
  return { todos: list(), counts: count(), url: url.origin + url.pathname }
}
