// SPDX-License-Identifier: GPL-2.0-only
/*
 * coverage.c - linked into what selftests/pure/coverage builds: a test of the
 * harness runs in a child that leaves with _exit(), which writes no profile
 */
int __llvm_profile_write_file(void);
__attribute__((noreturn)) void __real__exit(int status);
__attribute__((noreturn)) void __wrap__exit(int status);

void __wrap__exit(int status)
{
	__llvm_profile_write_file();
	__real__exit(status);
}
