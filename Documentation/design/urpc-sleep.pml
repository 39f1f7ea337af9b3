/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * urpc-sleep.pml - how a side of a channel sleeps and is woken, for spin
 *
 * urpc-sleep.md says what it shows, selftests/urpc/model runs it.  Without a
 * define it is the ring on the module, and both sides may sleep:
 *	MEMFD		the back end that needs no module
 *	CALL		call and return in place of the ring
 *	POLL		(module) the reader may wait in epoll_wait(2) too
 *	EDGE		(POLL) edge-triggered
 *	ALL_CAUSAL	(CALL) every call sets the sleep word
 *	ONLY_A ONLY_B	that side alone ever sleeps
 *	MOVES=A or B	the side that changes its CPU at any time
 *
 * Wrong on purpose, and each must be found out:
 *	NO_BARRIER	the sleeper has the peer's CPUs pass no barrier
 *	MASK_FIRST	it chooses these CPUs before its sleep word is visible
 *	BOUND_CPU	it takes the CPU of the peer's endpoint alone
 *	LOOK_FIRST	(module) it looks, and is on the wait queue then
 *	LATE_COUNT	(MEMFD) it sets its word, and reads the counter then
 *	SLOT_ALONE	it does not mind that it was woken if nothing is there
 *	SAME_VALUE	every sleep has the same value
 *	SET_AFTER	(CALL) it publishes the request, and sets its word then
 *	ZERO_WORD	(POLL) a wait that ends takes the word from poll(2)
 *	LOOK_POLL	(EDGE) the poll method looks, and sets the word only if
 *			nothing is there
 *	TEST_LAST	the writer waits for room before it has tested
 *	NO_ROOM		the writer does not wait for room
 *	CTL_FIRST	the writer publishes a slot, and writes the payload then
 *	ACK_FIRST	the reader acknowledges a slot, and reads it then
 */

#ifndef MESSAGES
#define MESSAGES	3
#endif
#ifndef SLOTS
#define SLOTS		2
#endif
/* Sleeps of each side that end without cause: time-outs, signals. */
#ifndef CAUSELESS
#define CAUSELESS	1
#endif
/* Stores that a CPU may hold back; that there are never more is asserted. */
#define DEPTH		6

#define A		0	/* writes messages; calls */
#define B		1	/* reads messages; answers */
#define OTHER(p)	(1 - (p))

/* --- x86-TSO: memory, and stores that are held back ----------------------- */

#define SLEEP(p)	(p)		/* sleep word of side p */
#define COUNT(p)	(2 + (p))	/* what its peer bumps to wake it */
#define ACK		4
#define WORD(pos)	(5 + (pos) % SLOTS)
#define CTL(pos)	(5 + SLOTS + (pos) % SLOTS)
#define REQUEST		4
#define REPLY		5

byte mem[5 + 2 * SLOTS];
chan held[2] = [DEPTH] of { byte, byte };	/* address, value; by side */
byte at[2];		/* which of its two CPUs a side runs on */

/* Side p has passed a full barrier. */
#define FENCED(p)	(empty(held[p]))

inline store(p, a, v)
{
	atomic { assert(nfull(held[p])); held[p]!a,v }
}

/*
 * A load takes what the own CPU holds back, else memory.  No side loads what
 * it may still hold back, so the first case is asserted away.
 */
inline load(p, x, a)
{
	atomic { assert(!(held[p]??[eval(a), _])); x = mem[a] }
}

/* The oldest store becomes visible. */
inline release(p)
{
	held[p]?addr,val;
	mem[addr] = val;
	addr = 0;
	val = 0
}

/*
 * An interrupt of CPU c of side p is a full barrier there.  That it comes at
 * once loses no case: what would be visible when it came later may become
 * visible of itself until then.
 */
inline interrupt(p, c)
{
	atomic {
		do
		:: at[p] == c && nempty(held[p]) -> release(p)
		:: at[p] != c || empty(held[p]) -> break
		od
	}
}

/* Stores become visible in their order, at any time. */
active [2] proctype buffer()
{
	byte addr, val;

end:	do
	:: atomic { nempty(held[_pid]) -> release(_pid) }
	od
}

#ifdef MOVES
/*
 * A side changes its CPU, at any time.  Switching is a full barrier.  A side
 * that is switched out counts as being where it will go on.
 */
active proctype scheduler()
{
end:	do
	:: atomic { FENCED(MOVES) -> at[MOVES] = 1 - at[MOVES] }
	od
}
#endif

/* --- the two sides -------------------------------------------------------- */

#define RUNNING		0
#define QUEUED		1	/* on the wait queue, not asleep yet */
#define ASLEEP		2

byte state[2];
byte pos[2];		/* messages published, taken; calls made, answered */
byte value[2];		/* of the last sleep */
byte woken[2];		/* the value for which side p woke its peer last */
byte causeless[2] = CAUSELESS;
bool busy[2];		/* publishes, and has not tested and woken yet */

/* Locals of each side; there: what it waits for was there when it looked. */
#define LOCALS \
	byte addr = 0, val = 0, cpu = 0, s = 0, bumped = 0, count = 0, \
	     seen = 0; \
	bool there = false

/* What side p waits for is in memory. */
#ifdef CALL
#define THERE(p) \
	((p) == A -> mem[REPLY] == pos[A] : mem[REQUEST] == pos[B] + 1)
#else
#define EPOCH(n)	(1 - (n) / SLOTS % 2)
#define THERE(p) \
	((p) == A -> mem[ACK] + SLOTS > pos[A] : \
	 mem[CTL(pos[B])] == EPOCH(pos[B]))
#endif

inline set_word(p)
{
#ifdef SAME_VALUE
	value[p] = 1;
#else
	value[p]++;
#endif
	store(p, SLEEP(p), value[p])
}

#ifdef BOUND_CPU
#define CPUS		1
#else
#define CPUS		2
#endif

/*
 * Every CPU that may run the peer passes a full barrier.  They are chosen after
 * a full barrier of the own CPU, one after the other.
 */
inline barrier(p)
{
#ifdef MASK_FIRST
	cpu = at[OTHER(p)];
	FENCED(p);
	interrupt(OTHER(p), cpu)
#else
	FENCED(p);
#ifndef NO_BARRIER
	do
	:: cpu < CPUS -> atomic { interrupt(OTHER(p), cpu); cpu++ }
	:: else -> break
	od;
	cpu = 0
#endif
#endif
}

/* Asleep until the peer wakes it, or without cause. */
inline schedule(p)
{
	if
	:: state[p] == RUNNING
	:: causeless[p] > 0 -> atomic { causeless[p]--; state[p] = RUNNING }
	fi
}

/*
 * wait(): the time may be over after any sleep that ended without cause.
 * @causal: the word was set (and the counter read before that) before the
 * request was published, so that the answer follows it without a barrier.
 */
#ifdef MEMFD
/*
 * FUTEX_WAIT on the peer's counter.  A counter that is not what was read before
 * the word was set: the peer has woken, and will not for that value again.
 */
inline wait(p, causal)
{
	if
	:: causal -> goto slept
	:: else
	fi;
again:
#ifndef LATE_COUNT
	load(p, count, COUNT(p));
#endif
	set_word(p);
	barrier(p);
#ifdef LATE_COUNT
	load(p, count, COUNT(p));
#endif
slept:
#ifdef SLOT_ALONE
	load(p, count, COUNT(p));
#endif
	there = THERE(p);
	if
	:: there -> goto out
	:: else
	fi;
	atomic {
		FENCED(p);
		state[p] = (mem[COUNT(p)] == count -> ASLEEP : RUNNING)
	};
	schedule(p);
#ifndef SLOT_ALONE
	load(p, seen, COUNT(p));
	if
	:: seen != count -> goto again
	:: else
	fi;
#endif
	if
	:: goto slept
	:: causeless[p] < CAUSELESS
	fi;
out:
	store(p, SLEEP(p), 0);
	atomic { count = 0; seen = 0 }
}
#else
/*
 * A wait queue.  A word that is not the own value was cleared by a wake: the
 * peer has woken, and will not for that value again.
 */
inline wait(p, causal)
{
	if
	:: causal -> goto slept
	:: else
	fi;
again:
	set_word(p);
	barrier(p);
slept:
#ifdef LOOK_FIRST
	there = THERE(p);
	load(p, seen, SLEEP(p));
#endif
	atomic { FENCED(p); state[p] = QUEUED };
#ifndef LOOK_FIRST
	there = THERE(p);
	load(p, seen, SLEEP(p));
#endif
#ifdef SLOT_ALONE
	seen = value[p];
#endif
	if
	:: there -> goto out
	:: !there && seen != value[p] -> goto again
	:: else
	fi;
	atomic {
		if
		:: state[p] == QUEUED -> state[p] = ASLEEP
		:: else
		fi
	};
	schedule(p);
	if
	:: goto slept
	:: causeless[p] < CAUSELESS
	fi;
out:
	state[p] = RUNNING;
#if !defined(POLL) || defined(ZERO_WORD)
	store(p, SLEEP(p), 0);
#endif
	seen = 0
}
#endif

#ifdef POLL
/* The channel is on epoll's list of what may be ready. */
bool listed = true;

/* The poll method is called for what is listed; a wake lists it again. */
inline epoll_wait(p)
{
	do
	:: atomic { listed -> listed = false; there = false };
#ifdef LOOK_POLL
		there = THERE(p);
#endif
		if
		:: there
		:: !there ->
			set_word(p);
			barrier(p);
			there = THERE(p)
		fi;
		if
		:: there ->
#ifndef EDGE
			listed = true;
#endif
			break
		:: else
		fi
	:: atomic { FENCED(p) && !listed -> state[p] = ASLEEP };
		schedule(p);
		if
		:: skip
		:: causeless[p] < CAUSELESS -> break
		fi
	od
}
#endif

/* The fast path, a load and no fence; and the kernel, if need be. */
inline test_and_wake(p)
{
	load(p, s, SLEEP(OTHER(p)));
	if
	:: s != 0 && s != woken[p] ->
		/* no sleep costs the peer two wakes */
		assert(s > woken[p]);
		woken[p] = s;
#ifdef MEMFD
		bumped++;
		store(p, COUNT(OTHER(p)), bumped);
		atomic {
			FENCED(p);
			if
			:: state[OTHER(p)] == ASLEEP ->
				state[OTHER(p)] = RUNNING
			:: else
			fi
		}
#else
		store(p, SLEEP(OTHER(p)), 0);
		/* the lock of the wait queue is a full barrier */
		atomic {
			FENCED(p);
#ifdef POLL
			listed = true;
#endif
			state[OTHER(p)] = RUNNING
		}
#endif
	:: else
	fi;
	atomic { s = 0; busy[p] = false }
}

/* Only where the peer may sleep, so that what is never reached is a mistake. */
#ifdef ONLY_A
#define tell_b()	busy[A] = false
#else
#define tell_b()	test_and_wake(A)
#endif
#ifdef ONLY_B
#define tell_a()	busy[B] = false
#else
#define tell_a()	test_and_wake(B)
#endif

#ifndef CALL
/* --- the ring ------------------------------------------------------------- */

inline need_room()
{
	do
	:: limit != pos[A] -> break
	:: else ->
		load(A, limit, ACK);
		limit = limit + SLOTS;
#ifdef NO_ROOM
		limit = pos[A] + 1;
#endif
		if
		:: limit != pos[A]
		:: else ->
#ifndef TEST_LAST
			if
			:: busy[A] -> tell_b()
			:: else
			fi;
#endif
			if
			:: THERE(A)
#ifndef ONLY_B
			:: wait(A, false)
#endif
			fi
		fi
	od
}

active proctype writer()
{
	byte limit = 0;
	LOCALS;

	do
	:: pos[A] == MESSAGES -> break
	:: else ->
		need_room();
		busy[A] = true;
#ifdef CTL_FIRST
		store(A, CTL(pos[A]), EPOCH(pos[A]));
		store(A, WORD(pos[A]), pos[A] + 1);
#else
		store(A, WORD(pos[A]), pos[A] + 1);
		store(A, CTL(pos[A]), EPOCH(pos[A]));
#endif
		pos[A]++;
		if
		:: pos[A] < MESSAGES	/* a batch: one test after several */
		:: tell_b()
		fi
	od
}

active proctype reader()
{
	byte word = 0;
	LOCALS;

	do
	:: pos[B] == MESSAGES -> break
	:: else ->
		if
		:: atomic { THERE(B) -> there = true }
#ifndef ONLY_A
		:: wait(B, false)
#endif
#if defined(POLL) && !defined(EDGE)
		:: epoll_wait(B)
#endif
#if defined(POLL) && defined(EDGE)
		:: !THERE(B) -> epoll_wait(B)	/* it was drained */
#endif
		fi;
		if
		:: !there
		:: else ->
#ifdef ACK_FIRST
			store(B, ACK, pos[B] + 1);
#endif
			load(B, word, WORD(pos[B]));
			/* none is lost, comes twice or out of order */
			assert(word == pos[B] + 1);
			atomic {
				pos[B]++;
				there = false;
				word = 0;
				busy[B] = true
			};
			store(B, ACK, pos[B]);
			tell_a()
		fi
	od
}

#else
/* --- call and return ------------------------------------------------------ */

active proctype caller()
{
	bool causal = false;
	LOCALS;

	do
	:: pos[A] == MESSAGES -> break
	:: else ->
		pos[A]++;
		if
		:: causal = true
#ifndef ALL_CAUSAL
		:: causal = false	/* it means to poll */
#endif
		fi;
		if
		:: causal ->
#if defined(MEMFD) && !defined(LATE_COUNT)
			load(A, count, COUNT(A));
#endif
#ifndef SET_AFTER
			set_word(A);
#endif
#if defined(MEMFD) && defined(LATE_COUNT)
			load(A, count, COUNT(A));
#endif
		:: else
		fi;
		busy[A] = true;
		store(A, REQUEST, pos[A]);
		tell_b();
#ifdef SET_AFTER
		if
		:: causal -> set_word(A)
		:: else
		fi;
#endif
		do
		:: THERE(A) -> break
		:: wait(A, causal);
			causal = false
		od;
		if
		:: store(A, SLEEP(A), 0)
		:: skip			/* or it leaves the word */
		fi;
		atomic { there = false; causal = false; count = 0 }
	od
}

active proctype callee()
{
	LOCALS;

	do
	:: pos[B] == MESSAGES -> break
	:: else ->
		do
		:: THERE(B) -> break
#ifndef ONLY_A
		:: wait(B, false)
#endif
		od;
		atomic { there = false; pos[B]++; busy[B] = true };
		store(B, REPLY, pos[B]);
		tell_a()
	od
}
#endif

/* --- what must never be --------------------------------------------------- */

#define SETTLED		(empty(held[A]) && empty(held[B]))
/* It sleeps, what it waits for is there, and nobody is about to wake it. */
#define LOST(p)		(state[p] == ASLEEP && THERE(p) && SETTLED && \
			 (!busy[OTHER(p)] || state[OTHER(p)] == ASLEEP))

active proctype watch()
{
	bool lost_room = false, lost_message = false;

end:	if
#ifdef CALL
	:: LOST(A) -> lost_message = true
#else
	:: LOST(A) -> lost_room = true
#endif
	:: LOST(B) -> lost_message = true
	fi;
	assert(!lost_room);
	assert(!lost_message)
}
