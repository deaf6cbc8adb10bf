import { add } from '$lib/server/store'
import { error, redirect } from '@sveltejs/kit'

const field = (form, name, max) => (form.get(name) ?? '').toString().trim().slice(0, max + 1)

export async function POST ({ request }) {
  const form = await request.formData()
  const text = field(form, 'text', 500)
  if (!text || text.length > 500) error(422, 'What needs doing: between 1 and 500 characters')
  add(text, field(form, 'assignee', 80), field(form, 'creator', 80))
  redirect(303, '/')
}
