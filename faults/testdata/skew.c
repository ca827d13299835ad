/* Moves the wall clock of the program that it is preloaded into by SKEW seconds, or by the number in the
   file SKEW_FILE, as it is at each moment: eight bytes in this machine's order. Monotonic clocks stay. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t skew(void) {
	static int64_t fixed;
	static volatile int64_t *s;
	if (!s) {
		const char *e = getenv("SKEW"), *file = getenv("SKEW_FILE");
		int f = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
		void *m = f < 0 ? MAP_FAILED : mmap(0, sizeof fixed, PROT_READ, MAP_SHARED, f, 0);
		if (f >= 0)
			close(f);
		fixed = e ? atol(e) : 0;
		s = m == MAP_FAILED ? &fixed : m;
	}
	return *s;
}

int clock_gettime(clockid_t id, struct timespec *t) {
	int r = syscall(SYS_clock_gettime, id, t);
	if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += skew();
	return r;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
	struct timespec s;
	(void)zone;
	int r = clock_gettime(CLOCK_REALTIME, &s);
	t->tv_sec = s.tv_sec;
	t->tv_usec = s.tv_nsec / 1000;
	return r;
}

time_t time(time_t *out) {
	struct timespec s;
	clock_gettime(CLOCK_REALTIME, &s);
	if (out)
		*out = s.tv_sec;
	return s.tv_sec;
}
