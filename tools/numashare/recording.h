/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * recording.h - the file that 'numashare record' writes
 *
 * A header, the samples as read from /dev/numamig, and a JSON object that
 * says where they come from:
 *
 *	{ "version", "kernel", "node", "nodes", "start",
 *	  "processes": { PID: { "command",
 *			     "maps": [ line of /proc/PID/maps ] } } }
 *
 * The header is completed last, so a recording that was cut off has no JSON
 * object and is read without names.
 */
#ifndef RECORDING_H
#define RECORDING_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "numamig.h"

#define RECORDING_MAGIC "NMREC\1\r\n"

struct recording_header {
	char magic[8];
	uint32_t header_size;
	uint32_t sample_size;
	uint64_t samples;	/* 0: cut off; as many as there are */
	uint64_t meta_offset;
	uint64_t meta_size;
};

/**
 * struct recording - one in memory
 * @sample: the samples
 * @count: how many
 * @meta: the JSON object, may be NULL
 */
struct recording {
	struct numamig_sample *sample;
	size_t count;
	struct json_object *meta;
};

int recording_load(struct recording *r, const char *path);
void recording_free(struct recording *r);

#endif /* RECORDING_H */
