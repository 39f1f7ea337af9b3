// SPDX-License-Identifier: GPL-2.0-only
/*
 * recording.c - read what 'numashare record' wrote
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "numashare.h"
#include "recording.h"

static int bad(const char *path, const char *why)
{
	complain("%s: %s", path, why);
	return FAILED;
}

static void load_meta(struct recording *r, const char *data, size_t size,
		      const struct recording_header *h)
{
	char *text;

	if (!h->meta_offset || h->meta_offset > size ||
	    h->meta_size > size - h->meta_offset)
		return;
	text = strndup(data + h->meta_offset, h->meta_size);
	if (text)
		r->meta = json_tokener_parse(text);
	free(text);
}

static int parse(struct recording *r, const char *path, const char *data,
		 size_t size)
{
	struct recording_header h;
	size_t room;

	if (size < sizeof(h))
		return bad(path, "too short for a recording");
	memcpy(&h, data, sizeof(h));
	if (memcmp(h.magic, RECORDING_MAGIC, sizeof(h.magic)))
		return bad(path, "not made by 'numashare record'");
	if (h.header_size != sizeof(h) ||
	    h.sample_size != sizeof(struct numamig_sample))
		return bad(path, "made by another version of numashare");
	room = (size - sizeof(h)) / sizeof(struct numamig_sample);
	if (h.samples > room)
		return bad(path, "damaged: fewer samples than it says");
	r->count = h.meta_offset ? h.samples : room;
	r->sample = calloc(r->count + 1, sizeof(*r->sample));
	if (!r->sample)
		return bad(path, "not enough memory");
	memcpy(r->sample, data + sizeof(h), r->count * sizeof(*r->sample));
	load_meta(r, data, size, &h);
	return OK;
}

int recording_load(struct recording *r, const char *path)
{
	struct stat st;
	char *data;
	int ret;
	FILE *f;

	memset(r, 0, sizeof(*r));
	f = fopen(path, "re");
	if (!f || fstat(fileno(f), &st))
		return bad(path, "cannot be opened");
	data = malloc(st.st_size + 1);
	if (!data || fread(data, 1, st.st_size, f) != (size_t)st.st_size)
		ret = bad(path, "cannot be read");
	else
		ret = parse(r, path, data, st.st_size);
	free(data);
	fclose(f);
	return ret;
}

void recording_free(struct recording *r)
{
	free(r->sample);
	json_object_put(r->meta);
}
