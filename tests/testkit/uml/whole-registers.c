/* Lets a user-mode kernel of Debian 12 run on processors whose floating point state is larger than the
 * buffer that it was built with: those with AMX. The machine's kernel takes a state as a whole or not at
 * all, so that every attempt to give one back fails, and the guest panics before its first program.
 *
 * Loaded before the kernel's own libraries, this hands over what fits, and on the way back puts it over
 * the whole state of the same process. What does not fit is AMX alone, which no program here uses. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

/* The user-mode kernel has one processor: nothing else uses it meanwhile. Its stacks are too small. */
static char whole_state[1 << 16];

static long registers(int request, pid_t pid, struct iovec *part)
{
	struct iovec whole = { whole_state, sizeof whole_state };
	size_t common;

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole) < 0)
		return -1;
	common = part->iov_len < whole.iov_len ? part->iov_len : whole.iov_len;
	if (request == PTRACE_GETREGSET) {
		memcpy(part->iov_base, whole_state, common);
		part->iov_len = common;
		return 0;
	}
	memcpy(whole_state, part->iov_base, common);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	static long (*next)(enum __ptrace_request, ...);
	va_list arguments;
	pid_t pid;
	void *address, *data;

	va_start(arguments, request);
	pid = va_arg(arguments, pid_t);
	address = va_arg(arguments, void *);
	data = va_arg(arguments, void *);
	va_end(arguments);
	if ((request == PTRACE_GETREGSET || request == PTRACE_SETREGSET) &&
	    (long)address == NT_X86_XSTATE)
		return registers(request, pid, data);
	if (!next)
		next = (long (*)(enum __ptrace_request, ...))dlsym(RTLD_NEXT, "ptrace");
	return next(request, pid, address, data);
}
