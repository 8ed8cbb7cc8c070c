// The buyer, who stands between the merchant and the provider: `POST /_sandbox/approve/{extern_id}` is the click.
import { type Answer, answer, jsonAnswer } from './answer.ts';
import { planOf, wordOf } from './behaviour.ts';
import { eventParts, moved } from './movement.ts';
import { type Effect, kindOf, type Payment } from './payment.ts';
import type { Voice, World } from './world.ts';

/** Approving twice is approving once; a buyer who walked away, or a payment that is over, cannot be approved. */
export function approve(world: World, id: string, voiceFor: (payment: Payment) => Voice): Answer {
  const payment = world.state.payment(id);
  if (!payment || kindOf(payment) !== 'payin') {
    return refused(404, 'not_found', `No pay-in has the id ${id}. Take extern_id from the provider's answer.`);
  }
  if (payment.status === 'canceled') {
    return refused(409, 'gone', 'This pay-in is over. Start a new one.');
  }
  const voice = voiceFor(payment);
  if (!(voice.approvable ?? ['action']).includes(payment.status))
    return jsonAnswer(200, { extern_id: id, status: payment.status });
  if (planOf(wordOf(payment.destination), 'payin').later === 'expire') {
    return refused(409, 'abandoned', 'This buyer never comes back. Use the word `action` for one who approves.');
  }
  const effect = approvalEffect(world, voice, { ...payment, due: null, declineCode: null });
  world.commit(effect);
  return jsonAnswer(200, { extern_id: id, status: effect.payment?.status });
}

/** What a browser sees at the address that the provider sends the buyer to. */
export function approvalPage(world: World, id: string): Answer {
  const payment = world.state.payment(id);
  const isWaiting = payment?.status === 'action' || payment?.status === 'created';
  const form = '<form method="post"><button>Approve</button></form>';
  const text = isWaiting
    ? `<p>Pay ${payment.amount} minor units of ${payment.currency}?</p>${form}`
    : '<p>Nothing waits for your approval here.</p>';
  const html = `<!doctype html><html lang="en"><title>Sandbox</title><h1>Sandbox: no real money</h1>${text}</html>\n`;
  return answer(isWaiting ? 200 : 404, html, { 'content-type': 'text/html; charset=utf-8' });
}

/** Where the buyer is sent. */
export function approvalUrl(world: World, payment: Payment): string {
  return `${world.url()}/_sandbox/approve/${payment.id}`;
}

function approvalEffect(world: World, voice: Voice, payment: Payment): Effect {
  const at = world.now();
  if (payment.captureLater) {
    return { at, payment: { ...payment, status: 'approved' }, ...eventParts(voice, 'approved') };
  }
  return { at, ...moved(world, payment), ...eventParts(voice, 'paid') };
}

function refused(status: number, code: string, message: string): Answer {
  return jsonAnswer(status, { error: { code, message } });
}
