import { drop } from '$lib/server/store'
import { error, redirect } from '@sveltejs/kit'

export async function POST ({ params, request }) {
  await request.formData()
  if (!drop(params.id)) error(404, 'There is nothing at this address.')
  redirect(303, '/')
}
