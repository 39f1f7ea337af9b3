/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * batch_copy.h - whole slots in and out
 *
 * A slot is written in as few stores as the CPU allows, the control word in
 * the last one: x86 makes stores visible in order, and a 16-byte store at once
 * on every CPU that has AVX.  The other way round, a reader that has seen the
 * control word may load the rest as it likes.
 *
 * Included once a variant: COPY_NAME(x) names the functions, COPY_TARGET is
 * their attribute, COPY_AVX chooses the wide ones.
 */

/* @m goes into @s and is published by @ctl, which has its epoch. */
static inline COPY_TARGET void COPY_NAME(put)(struct urpc_slot *s,
					      const struct urpc_message *m,
					      __u64 ctl)
{
#ifdef COPY_AVX
	const __m256i low = _mm256_loadu_si256((const __m256i *)m->word);
	const __m128i high = _mm_loadu_si128((const __m128i *)&m->word[4]);

	_mm256_store_si256((__m256i *)s->word, low);
	_mm_store_si128((__m128i *)&s->word[4], high);
	/* the compiler, too, keeps the order */
	__atomic_signal_fence(__ATOMIC_ACQ_REL);
	_mm_store_si128((__m128i *)&s->word[6],
			_mm_set_epi64x((long long)ctl,
				       (long long)m->word[6]));
	__atomic_signal_fence(__ATOMIC_ACQ_REL);
#else
	__urpc_fill(s, m->word);
	urpc_store_release(&s->ctl, ctl);
#endif
}

/* Copy @s out; its control word was loaded before, with acquire. */
static inline COPY_TARGET void COPY_NAME(get)(struct urpc_message *m,
					      const struct urpc_slot *s,
					      __u64 ctl)
{
#ifdef COPY_AVX
	const __m256i low = _mm256_load_si256((const __m256i *)s->word);
	const __m128i high = _mm_load_si128((const __m128i *)&s->word[4]);

	_mm256_storeu_si256((__m256i *)m->word, low);
	_mm_storeu_si128((__m128i *)&m->word[4], high);
	m->word[6] = urpc_load(&s->word[6]);
#else
	__urpc_copy(m->word, s);
#endif
	m->tag = urpc_ctl_tag(ctl);
}

/*
 * Write @n messages for which there is room.  Lines further on, within the
 * room, are asked for in time: the reader has them.
 */
static COPY_TARGET void COPY_NAME(put_run)(struct urpc_tx *tx,
					   const struct urpc_message *m,
					   unsigned int n)
{
	uint64_t pos = tx->pos, end = pos + n;

	for (; pos != end; pos++, m++) {
		if (end - pos > WRITE_AHEAD)
			__builtin_prefetch(&tx->slot[(pos + WRITE_AHEAD) &
						     tx->mask], 1);
		COPY_NAME(put)(&tx->slot[pos & tx->mask], m,
			       urpc_ctl(m->tag, URPC_KIND_MESSAGE, 0) |
			       urpc_epoch(pos, tx->shift));
	}
	tx->pos = pos;
}

/*
 * Read up to @n plain messages from slots that are said to be full.  Returns
 * how many were; whoever filled a later slot before an earlier one, or put
 * something else there, is found out here.
 */
static COPY_TARGET unsigned int COPY_NAME(get_run)(const struct urpc_rx *rx,
						   struct urpc_message *m,
						   unsigned int n)
{
	uint64_t pos = rx->pos, ctl;
	unsigned int i;

	for (i = 0; i < n; i++, pos++, m++) {
		const struct urpc_slot *s = &rx->slot[pos & rx->mask];

		ctl = urpc_load_acquire(&s->ctl);
		if ((ctl ^ urpc_epoch(pos, rx->shift)) & URPC_CTL_EPOCH ||
		    __urpc_is_odd(ctl))
			break;
		COPY_NAME(get)(m, s, ctl);
	}
	return i;
}

#undef COPY_NAME
#undef COPY_TARGET
