// SPDX-License-Identifier: GPL-2.0-only
/*
 * json.c - small helpers over json-c
 */
#include "numashare.h"

struct json_object *json_u64(uint64_t v)
{
	return json_object_new_int64((int64_t)v);
}

/* A share from 0 to 1, null when there is none (a negative number). */
struct json_object *json_share(double v)
{
	char buf[32];

	if (v < 0)
		return NULL;
	snprintf(buf, sizeof(buf), "%.4f", v);
	return json_object_new_double_s(v, buf);
}

/* Print and free. */
void json_print(FILE *f, struct json_object *o)
{
	fprintf(f, "%s\n",
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
					       JSON_C_TO_STRING_SPACED |
					       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}
