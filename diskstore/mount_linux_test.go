package diskstore

import "syscall"

func mountSmall(dir string) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1536k,mode=0700")
}

func unmount(dir string) error { return syscall.Unmount(dir, 0) }
