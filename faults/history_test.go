package faults_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/faults/law"
	"github.com/sojourn-go/sojourn/faults/wire"
)

var (
	historyActs = flag.Int("history.acts", 0, "acts of TestHistory, over all engines together; 0 is one history for each")
	historySeed = flag.Uint64("history.seed", 0, "what TestHistory's workers and strikes are drawn from; 0 draws one")
)

// actsOfHistory is how many acts a history has at least. A longer run has more of them: each is
// judged by itself, for what a checker needs grows faster than its history.
const actsOfHistory = 10_000

// embedded are the engines that live in the program.
var embedded = append([]string{"memory"}, files...)

// P12: while servers, or the processes that hold an engine's files, are killed, stand still and
// lose their connections, no engine loses what it acknowledged, and none brings back what it ended.
func TestHistory(t *testing.T) {
	seed := *historySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	engines := append(embedded, every...)
	rounds := max(1, (*historyActs+len(engines)*actsOfHistory-1)/(len(engines)*actsOfHistory))
	t.Logf("%d rounds of %d engines, %d acts each; -history.seed %d", rounds, len(engines), actsOfHistory, seed)
	began, done := time.Now(), 0
	for round := range rounds {
		for i, name := range engines {
			t.Run(fmt.Sprintf("%s/%d", name, round+1), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, uint64(round)<<32|uint64(i)))
				(&history{t: t, m: start(t, name), net: network(t), rand: r, log: law.NewLog()}).run()
			})
			done++
			if left := rounds*len(engines) - done; rounds > 1 && left > 0 {
				t.Logf("%d of %d histories, about %v left", done, done+left, (time.Since(began) / time.Duration(done) * time.Duration(left)).Round(time.Second))
			}
		}
	}
}

// history is one run of one engine.
type history struct {
	tally
	t    *testing.T
	m    *machine
	rand *rand.Rand
	log  *law.Log
	net  *wire.Network
}

func (h *history) run() {
	t, m := h.t, h.m
	began := time.Now()
	s := storm{scenario: "history", m: m, log: h.log, visitors: 2, calm: 1, timeout: time.Second, strike: h.strikes,
		load: law.Load{Workers: 24, Users: 32, Keep: 96, Size: 300, Pause: -1, Seed: h.rand.Uint64()}}
	if m.cluster != nil {
		if m.name == "cassandra" {
			s.timeout = 4 * time.Second
		} else {
			steady(t, m)
		}
	}
	out := s.run(t, m.open(t, h.net), m.open(t, h.net))
	out.exact(t)
	h.acts, h.unknown = out.Counts.Answered(), out.Indeterminate
	h.violations = out.Lost + out.Resurrected + len(out.Unexplained) + len(out.Verdict.Breaches) +
		out.site.Lost + out.site.Resurrected + len(out.site.Ended) + len(out.site.Breaches)
	tell(m.name, h.tally)
	t.Logf("%s: %d acts in %.1f s: %d kills, %d cuts, %d pauses, %d violations, %d unknown, %d refused", m.name, h.acts,
		time.Since(began).Seconds(), h.kills, h.cuts, h.pauses, h.violations, h.unknown, out.Unavailable)
}

// strikes spreads what happens over the acts of the history.
func (h *history) strikes() {
	all := []func(){h.cut, h.cut}
	if len(h.m.victims()) > 0 {
		all = append(all, h.kill, h.pause)
	}
	if h.m.name == "memory" { // there is nothing that could die without the judge, and no connection
		all = nil
	}
	h.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	part := actsOfHistory / (len(all) + 1)
	h.until(part)
	for i, strike := range all {
		before, struck := h.log.Counts(), h.kills+h.pauses
		strike()
		h.until((i + 2) * part)
		after := h.log.Counts()
		missed := before.Acts-before.Answered() == after.Acts-after.Answered() && after.Outage < 500*time.Millisecond
		if missed && h.kills+h.pauses > struck && !h.m.spare() {
			h.t.Error("no act failed or waited: the strike missed")
		}
	}
	h.until(actsOfHistory)
}

// until waits for so many acts that were answered.
func (h *history) until(n int) {
	seen, since := 0, time.Now()
	for {
		now := h.log.Counts().Answered()
		if now >= n {
			return
		}
		if now > seen {
			seen, since = now, time.Now()
		}
		if time.Since(since) > 2*time.Minute {
			h.t.Errorf("no act has been answered for %v", time.Since(since))
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (h *history) kill() {
	v := h.victim()
	must(h.t, v.Kill())
	h.kills++
	time.Sleep(time.Duration(h.rand.IntN(300)) * time.Millisecond)
	for range 5 { // a node of a busy cluster may give up and has to be started again
		if err := v.Start(context.Background()); err == nil {
			return
		} else if h.m.name != "cassandra" {
			h.t.Error(err)
		}
	}
}

func (h *history) pause() {
	v := h.victim()
	must(h.t, v.Pause())
	h.pauses++
	time.Sleep(time.Duration(1100+h.rand.IntN(400)) * time.Millisecond)
	must(h.t, v.Resume())
}

// cut breaks some connections at a request or an answer, and then all of them, or one side of all.
func (h *history) cut() {
	for range 10 {
		fired := h.net.Arm(wire.Cut{When: wire.When(h.rand.IntN(2)), Skip: h.rand.IntN(20)})
		select {
		case <-fired:
			h.cuts++
		case <-time.After(200 * time.Millisecond):
		}
	}
	h.net.Disarm()
	switch h.rand.IntN(3) {
	case 0:
		h.net.HalfClose(wire.Server)
	case 1:
		h.net.HalfClose(wire.Client)
	default:
		h.net.CutAll()
	}
	h.cuts++
}

// victim is what can be killed and paused.
type victim interface {
	Kill() error
	Start(context.Context) error
	Pause() error
	Resume() error
}

func (h *history) victim() victim {
	all := h.m.victims()
	return all[h.rand.IntN(len(all))]
}

// spare reports whether the engine goes on without its victims: copies that others have, too. What
// a master of Redis may lose is measured by TestFailover.
func (m *machine) spare() bool { return m.cluster != nil }

// victims may die without that anything acknowledged is lost.
func (m *machine) victims() (all []victim) {
	for _, h := range m.hosts {
		all = append(all, h)
	}
	for i, s := range m.nodes {
		switch {
		case m.name == "cassandra" && i < 2: // the first is the others' seed; two of three must agree
		case m.name != "cassandra" && m.cluster != nil && !strings.Contains(ask(s, "INFO", "replication"), "role:slave"):
		default:
			all = append(all, s)
		}
	}
	return all
}
