// SPDX-License-Identifier: GPL-2.0-only
/*
 * numbers.c - numbers for people, and from them
 */
#include <stdlib.h>
#include <time.h>

#include "numashare.h"

const char *bytes_text(uint64_t bytes, char *buf, size_t len)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = bytes;
	unsigned int u = 0;

	while (v >= 1024 && u < 4) {
		v /= 1024;
		u++;
	}
	snprintf(buf, len, u ? "%.1f %s" : "%.0f %s", v, unit[u]);
	return buf;
}

double now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

bool parse_number(const char *s, double min, double max, double *v)
{
	char *end;

	*v = strtod(s, &end);
	return *s && !*end && *v >= min && *v <= max;
}
