//go:build linux || darwin || freebsd

package kvstore

import "syscall"

// free returns how many bytes of dir's file system are left to this process.
func free(dir string) (uint64, error) {
	var s syscall.Statfs_t
	err := syscall.Statfs(dir, &s)
	return uint64(s.Bavail) * uint64(s.Bsize), err
}
