// Package progress shows how several long tasks go on: as bars on a terminal, elsewhere as plain
// lines (in a log of CI a bar would be thousands of them).
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// A Board shows tasks.
type Board struct {
	out  io.Writer
	bars *mpb.Progress // nil without a terminal
	mu   sync.Mutex    // keeps lines whole
}

// New makes a board on the file.
func New(f *os.File) *Board {
	if term.IsTerminal(int(f.Fd())) {
		return &Board{out: f, bars: mpb.New(mpb.WithOutput(f), mpb.WithWidth(24))}
	}
	return &Board{out: f}
}

// Plain makes a board that writes lines.
func Plain(w io.Writer) *Board { return &Board{out: w} }

// Printf writes a line, above the bars where there are any. No line may be written otherwise until
// Close.
func (b *Board) Printf(format string, args ...any) {
	line := fmt.Sprintf("servers: "+format+"\n", args...)
	if b.bars != nil {
		if _, err := b.bars.Write([]byte(line)); err == nil {
			return
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	io.WriteString(b.out, line)
}

// Close waits until the last state of the bars is drawn. Every task must have ended.
func (b *Board) Close() {
	if b.bars != nil {
		b.bars.Wait()
	}
}

// A Task is one line of the board. Its methods may be called from several goroutines.
type Task struct {
	board *Board
	name  string
	began time.Time
	bar   *mpb.Bar

	mu      sync.Mutex
	note    string
	quarter int
}

// Task adds a task that begins now.
func (b *Board) Task(name, note string) *Task {
	t := &Task{board: b, name: name, note: note, began: time.Now()}
	if b.bars == nil {
		b.Printf("%s: %s ...", name, note)
		return t
	}
	t.bar = b.bars.AddBar(100,
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			t.mu.Lock()
			defer t.mu.Unlock()
			return t.note
		})),
	)
	return t
}

// Set tells how far the task is, from 0 to 1.
func (t *Task) Set(fraction float64) {
	if t.bar != nil {
		t.bar.SetCurrent(min(int64(fraction*100), 99)) // 100 is for End
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if q := int(fraction * 4); q > t.quarter && q < 4 {
		t.quarter = q
		t.board.Printf("%s: %d %%", t.name, q*25)
	}
}

// End ends the task, with what came of it or with an error.
func (t *Task) End(result string, err error) {
	took := time.Since(t.began).Round(100 * time.Millisecond)
	text := fmt.Sprintf("%s, %v", result, took)
	if err != nil {
		text = fmt.Sprintf("FAILED after %v", took)
	}
	if t.bar == nil {
		t.board.Printf("%s: %s", t.name, text)
		return
	}
	t.mu.Lock()
	t.note = text
	t.mu.Unlock()
	if err != nil {
		t.bar.Abort(false)
		return
	}
	t.bar.SetCurrent(100)
}
