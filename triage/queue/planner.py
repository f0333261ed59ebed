"""What a ``put`` does: create, bundle, answer, edit, mask, or nothing. Pure; both backends run it.

The fast path is a post that the store has not met and that no ticket looks like: the store only
checks that both are so. Everything else is decided here on the tickets as read, and written only
if they still have the version that was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import orjson

from triage.bundle import Comparison, length, read
from triage.queue import Action, Bundling, Entry, withdrawal
from triage.queue.bundling import (
    EQUAL,
    admit,
    answered_copy,
    findable,
    first_text,
    joined,
    left,
    likeliest,
    repeated_keys,
)
from triage.queue.document import (
    Stored,
    create,
    event_data,
    event_id,
    from_ms,
    history_item,
    is_late,
    window_of,
)
from triage.queue.draft import Draft
from triage.queue.merge import Plan, edited, fresh
from triage.queue.mute import Mutes, taker
from triage.queue.muting import taken, taken_event, takes
from triage.queue.replies import Thread, author_of, has_room, is_about, is_by, replied
from triage.queue.summary import Copy, Summary
from triage.ticket import Urgency

#: How far up the ticket in a queue is looked for: one moves into another while we decide.
_DEPTH: Final = 4

_NONE: Final[Mapping[str, int]] = {}
#: Per new ticket, those that it may be a copy of, and how many keys they share with it.
Alike = Mapping[str, Mapping[str, int]]


def plan_put(
    entries: Sequence[Entry],
    known: Mapping[str, Stored],
    alike: Alike,
    *,
    now: int,
    mutes: Mutes | None = None,
) -> Plan:
    """Decide what a batch does, given the tickets and the mutes that the store has."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.ticket_id, []).append(entry)
    planner = _Planner(known, alike, now, repeated_keys(entries), mutes or {})
    for ticket, group in groups.items():
        planner.put(ticket, group)
    plan = planner.finish()
    replied_to = {one.reply.to for group in groups.values() for one in group if one.reply}
    plan.replied_to = replied_to - known.keys()
    return plan


class _Planner:
    def __init__(
        self,
        known: Mapping[str, Stored],
        alike: Alike,
        now: int,
        repeated: frozenset[str],
        mutes: Mutes,
    ) -> None:
        self._known = known
        self._alike = alike
        self._now = now
        self._repeated = repeated
        self._mutes = mutes
        self._plan = Plan()
        #: New tickets that nothing has happened to yet.
        self._alone: dict[str, Entry] = {}
        self._made: dict[str, Stored] = {}
        self._drafts: dict[str, Draft] = {}
        #: New tickets that joined another one, by which, and who wrote their posts.
        self._inside: dict[str, tuple[str, str]] = {}
        #: Which tickets of this batch are found by a key.
        self._leads: dict[str, dict[str, None]] = {}

    def put(self, ticket: str, group: Sequence[Entry]) -> None:
        """Bring the posts of one ticket over it, in order."""
        stored = self._known.get(ticket)
        if stored is None:
            first, *rest = group
            again = sum(entry.post.digest == first.post.digest for entry in rest)
            if again == len(rest) and not first.post.deleted:
                self._plan.repeated += again
                self._create(first)
                return
        self._fold(ticket, group)

    def finish(self) -> Plan:
        """Give what is to be written."""
        plan, at = self._plan, from_ms(self._now)
        plan.created += len(self._alone)
        plan.creations += [create(entry, at) for entry in self._alone.values()]
        for ticket, draft in self._drafts.items():
            if draft.changed and draft.now and draft.joined:
                plan.sizes.append(Summary.of(draft.now).count)
            if draft.changed or draft.before is None:
                plan.writes.append(draft.write(ticket))
        return plan

    # -- new posts -------------------------------------------------------------------------------

    def _create(self, entry: Entry) -> None:
        if self._mutes and taker(self._mutes, entry):
            self._fold(entry.ticket_id, [entry])
            return
        thread, bundling = self._thread(entry), entry.bundling
        if thread and is_by(entry, thread.writers):
            self._answer(thread.lead, entry)
        elif bundling and (found := self._lead_for(entry, bundling)):
            self._copy(self._join(*found, entry, bundling), entry)
        elif thread and is_about(thread.lead, entry):
            self._answer(thread.lead, entry)
        else:
            self._alone[entry.ticket_id] = entry
            if bundling:
                self._find_by(bundling.signature.keys, entry.ticket_id)
            if thread and entry.assessment.urgency is Urgency.KRITIEK:
                self._beside(thread.lead, entry)

    def _copy(self, lead: Stored, entry: Entry) -> None:
        self._create_inside(lead, entry, reply=False)
        self._plan.joined += 1
        if lead.resolved and entry.decided is None:
            self._drafts[lead.id].events.append(answered_copy(self._first(entry), lead, self._now))

    def _create_inside(self, lead: Stored, entry: Entry, *, reply: bool) -> None:
        new = create(entry, from_ms(self._now), lead=lead, reply=reply)
        self._plan.creations.append(new)
        author = entry.post.author.id if entry.post.author else ""
        self._inside[entry.ticket_id] = lead.id, author

    def _lead_for(self, entry: Entry, bundling: Bundling) -> tuple[Draft, Comparison] | None:
        """Find the bundle that a post belongs in: one with an equal text before others."""
        candidates = self._candidates(entry.ticket_id, bundling)
        if not candidates:
            return None
        words, best = read(entry.post.text), None
        for ticket in candidates:
            lead = self._stored(ticket)
            found = admit(lead, words, entry, bundling) if lead and findable(lead) else None
            if found is not None and found.equal:
                return self._draft(ticket), found
            if found is not None and best is None:
                best = ticket, found
        return (self._draft(best[0]), best[1]) if best else None

    def _candidates(self, ticket: str, bundling: Bundling) -> Sequence[str]:
        """Give the tickets worth a comparison: with an equal text, then the likeliest others."""
        hits: dict[str, int] = {}
        for found, count in self._alike.get(ticket, _NONE).items():
            stored = self._known.get(found)
            lead = (stored.within if stored else "") or found
            hits[lead] = max(hits.get(lead, 0), count)
        for key in self._repeated.intersection(bundling.signature.near):
            for lead in self._leads.get(key, ()):
                hits[lead] = hits.get(lead, 0) + 1
        for lead in self._leads.get(bundling.signature.exact, ()):
            hits[lead] = hits.get(lead, 0) + EQUAL
        return list(likeliest(hits, bundling.signature.shared)) if hits else ()

    def _join(self, draft: Draft, found: Comparison, entry: Entry, bundling: Bundling) -> Stored:
        """Bring a copy into a bundle; give the bundle."""
        assert draft.now is not None
        copy, due = Copy.from_entry(entry, bundling), draft.now.due
        after, raised = joined(draft.now, copy, entry, bundling, found, self._now)
        draft.now, draft.joined = after, True
        draft.length = length(read(first_text(after)))
        draft.keys.update(dict.fromkeys(bundling.signature.keys))
        draft.window = window_of(bundling)
        self._find_by((bundling.signature.exact,), after.id)
        if raised:
            self._plan.raised += 1
            self._record(draft, Action.RAISED)
            self._note(draft, Action.RAISED, entry)
        elif after.due != due:
            self._record(draft, Action.JOINED)
        return draft.now

    # -- replies ---------------------------------------------------------------------------------

    def _thread(self, entry: Entry) -> Thread | None:
        """Find the ticket that a reply is about, and who may go on in it about anything."""
        if entry.reply is None:
            return None
        lead_id, author = self._inside.get(entry.reply.to, ("", ""))
        replied_to = self._stored(lead_id or entry.reply.to)
        if replied_to is None or replied_to.gone:
            return None
        lead = self._outermost(replied_to)
        if lead is None or lead.gone or lead.id == entry.ticket_id or not has_room(lead):
            return None
        writers = {author, author_of(replied_to.doc), author_of(lead.doc)} - {""}
        return Thread(lead=lead, writers=writers)

    def _outermost(self, stored: Stored) -> Stored | None:
        """Give the ticket in a queue that another one is inside of; None: it was not read."""
        found: Stored | None = stored
        for _ in range(_DEPTH):
            if found is None or not found.within:
                return found
            found = self._stored(found.within)
        return None

    def _answer(self, lead: Stored, entry: Entry) -> None:
        after = self._reply(lead, entry)
        self._create_inside(after, entry, reply=True)
        self._plan.replied += 1

    def _reply(self, lead: Stored, entry: Entry) -> Stored:
        """Bring a reply into a ticket; give the ticket."""
        draft = self._draft(lead.id)
        draft.now, raised = replied(lead, entry, self._now)
        self._plan.raised += raised
        if raised or draft.now.due != lead.due:
            self._record(draft, Action.REPLIED)
        reopened = bool(lead.resolved and not draft.now.resolved)
        self._note(draft, Action.REPLIED, entry, **({"reopened": True} if reopened else {}))
        return draft.now

    def _beside(self, lead: Stored, entry: Entry) -> None:
        """Let who has a ticket know of a reply that stands on its own."""
        draft = self._draft(lead.id)
        draft.now = replace(lead, version=lead.version + 1)
        self._record(draft, Action.REPLIED, beside=entry.ticket_id)
        self._note(draft, Action.REPLIED, entry, beside=True)

    def _record(self, draft: Draft, action: Action, **more: str) -> None:
        """Tell it in the history: so nobody undoes what came before and takes this along."""
        assert draft.now is not None
        item = history_item(self._now, action, "", **more)
        draft.now = replace(draft.now, history=(*draft.now.history, item))
        draft.appended.append(item)

    def _find_by(self, keys: Iterable[str], ticket: str) -> None:
        for key in self._repeated.intersection(keys):
            self._leads.setdefault(key, {})[ticket] = None

    # -- tickets on the slow path ----------------------------------------------------------------

    def _stored(self, ticket: str) -> Stored | None:
        """Give a ticket as it stands after what came before in this batch."""
        if draft := self._drafts.get(ticket):
            return draft.now
        if entry := self._alone.get(ticket):
            return self._first(entry)
        return self._known.get(ticket)

    def _first(self, entry: Entry) -> Stored:
        """Give the ticket of a new post; encoded once, however many copies are compared with it."""
        if entry.ticket_id not in self._made:
            self._made[entry.ticket_id] = fresh(entry, None)
        return self._made[entry.ticket_id]

    def _draft(self, ticket: str) -> Draft:
        """Take a ticket off the fast path."""
        if ticket not in self._drafts:
            before = self._known.get(ticket)
            draft = self._drafts[ticket] = Draft(before=before, now=before)
            if entry := self._alone.pop(ticket, None):
                draft.now = self._first(entry)
                draft.find_by(entry.bundling)
                self._plan.created += 1
                self._note(draft, Action.CREATED, entry)
        return self._drafts[ticket]

    def _note(self, draft: Draft, action: Action, entry: Entry, **more: bool) -> None:
        assert draft.now is not None
        turn = () if action is Action.CREATED else (str(draft.now.revision),)
        if action in (Action.RAISED, Action.REPLIED):
            turn = (entry.ticket_id,)
        identity = event_id(draft.now.id, action, entry.post.id, entry.post.digest, *turn)
        said = event_data(draft.now, action, self._now, identity) | more
        if draft.now.within:
            said["bundle"] = draft.now.within
        draft.events.append(orjson.dumps(said))

    def _fold(self, ticket: str, group: Sequence[Entry]) -> None:
        draft, plan = self._draft(ticket), self._plan
        for entry in group:
            stored = draft.now
            if stored is None or stored.gone:
                if entry.post.deleted:
                    plan.deleted += 1
                    if stored is None:
                        draft.now = withdrawal.withdrawn_unseen(entry, self._now)
                        draft.rewritten = True
                    continue
                if stored is not None and entry.post.digest in stored.seen:
                    plan.repeated += 1
                    continue
                draft.now, action = fresh(entry, stored), Action.CREATED
                plan.created += 1
            elif withdrawal.tells_nothing(stored, entry):
                plan.repeated += 1
                continue
            elif entry.post.deleted:
                draft.now, action = self._withdrawn(stored, entry), Action.DELETED
                plan.deleted += 1
            elif entry.post.digest in stored.seen:
                plan.repeated += 1
                continue
            else:
                draft.now, action = self._edited(stored, entry), Action.EDITED
                plan.edited += 1
            draft.rewritten = True
            self._close(draft, stored, entry, action)

    def _close(self, draft: Draft, stored: Stored | None, entry: Entry, action: Action) -> None:
        """Let a mute take what is left of a ticket; else copies find what is new."""
        assert draft.now is not None
        mute = takes(self._mutes, stored, draft.now, entry) if self._mutes else None
        if mute is not None:
            draft.now = taken(stored, draft.now, mute, self._now)
        self._note(draft, action, entry)
        if mute is not None:
            draft.taken = mute.id
            if entry.decided is None:
                draft.events.append(taken_event(draft.now, mute, self._now))
            self._plan.muted += 1
            return
        if not draft.now.resolved:
            draft.taken = ""
        if action is Action.CREATED:
            draft.find_by(entry.bundling)
            self._find_by(draft.keys, draft.now.id)

    def _withdrawn(self, stored: Stored, entry: Entry) -> Stored:
        """Mask a post; also among the texts of its bundle, where it was the only one to say it."""
        gone = not withdrawal.wrote_since(stored, entry)
        if gone and stored.within and self._stored(stored.within):
            lead = self._draft(stored.within)
            assert lead.now is not None
            lead.now = withdrawal.without_words(lead.now, stored, entry)
        return withdrawal.masked(stored, entry, self._now)

    def _edited(self, stored: Stored, entry: Entry) -> Stored:
        """Judge an edit; a member that says something else now leaves its bundle."""
        after = edited(stored, entry, self._now)
        late = is_late(stored.doc, entry)
        if not stored.within or (late and after.urgency is stored.urgency):
            return after
        lead = self._stored(stored.within)
        alone = replace(after, within="", reply=False, team=entry.route.team, bundle=None)
        if lead is None or lead.gone:
            return alone
        draft = self._draft(lead.id)
        draft.now = left(lead, stored)
        stays = self._answers_still if stored.reply else self._copies_still
        silent = late or (self._mutes and takes(self._mutes, stored, alone, entry))
        return after if not silent and stays(draft, entry) else alone

    def _answers_still(self, draft: Draft, entry: Entry) -> bool:
        """Bring an edited reply into its thread again, where it may still join."""
        assert draft.now is not None
        thread = self._thread(entry)
        if thread is None or thread.lead.id != draft.now.id:
            return False
        if not is_by(entry, thread.writers) and not is_about(thread.lead, entry):
            return False
        self._reply(thread.lead, entry)
        return True

    def _copies_still(self, draft: Draft, entry: Entry) -> bool:
        """Bring an edited copy into its bundle again, where it still says the same."""
        if draft.now is None or entry.bundling is None:
            return False
        found = admit(draft.now, read(entry.post.text), entry, entry.bundling)
        if found is None:
            return False
        self._join(draft, found, entry, entry.bundling)
        return True
