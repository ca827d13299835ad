package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/faults/law"
	"github.com/sojourn-go/sojourn/faults/site"
	"github.com/sojourn-go/sojourn/store"
)

// A storm is a load on some stores of one machine while something happens to it.
type storm struct {
	scenario string
	m        *machine
	log      *law.Log // a new one if nil
	load     law.Load
	visitors int
	// calm is the time of work before and after what happens.
	calm time.Duration
	// timeout bounds each act.
	timeout time.Duration
	// strike is what happens. It must leave the machine such that it recovers.
	strike func()
	// settle returns the store that is read afterwards, when the machine is whole again; nil stands
	// for the first.
	settle func() store.Store
}

// outcome is what a storm left.
type outcome struct {
	law.Counts
	law.Verdict
	site *site.Result
}

// run works on the stores, and reports a line of the table. What is asserted of it is the caller's.
func (s storm) run(t *testing.T, stores ...store.Store) outcome {
	t.Helper()
	if s.visitors == 0 {
		s.visitors = 4
	}
	if s.timeout == 0 {
		s.timeout = 2 * time.Second
	}
	if s.calm == 0 {
		s.calm = 1200 * time.Millisecond
	}
	s.load.Timeout = s.timeout
	if s.load.Pause == 0 { // less than 0 is none at all
		s.load.Pause = 2 * time.Millisecond // the histories need not be long, and two cores serve all
	}
	l := s.log
	if l == nil {
		l = law.NewLog()
	}
	var watched []store.Store
	for _, st := range stores {
		watched = append(watched, l.Watch(st))
	}
	shop, err := site.New(s.timeout, stores...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	final, stopFinal := context.WithCancel(t.Context())
	defer stopFinal()
	visits, worked := make(chan *site.Result, 1), make(chan struct{})
	go func() { visits <- shop.Visit(ctx, final, s.visitors) }()
	go func() { law.Work(ctx, s.load, watched...); close(worked) }()
	s.work(l, shop)
	s.strike()
	s.work(l, shop)
	stop()
	<-worked
	judge := stores[0]
	if s.settle != nil {
		judge = s.settle()
	}
	healthy(t, judge)
	defer time.AfterFunc(2*time.Minute, stopFinal).Stop()
	out := outcome{Counts: l.Counts(), site: <-visits}
	if out.Verdict, err = l.Judge(final, judge); err != nil {
		t.Fatal(err)
	}
	r := rowOf(s.scenario, s.m.name, out.Counts, out.Verdict, out.site)
	report(r)
	t.Logf("%d acts, %d acked, %d unavailable, %d unknown, %d lost, %d alive again, outage %v, %d sessions",
		r.acts, r.acked, r.unavailable, r.indeterminate, r.lost, r.resurrected, r.outage.Round(time.Millisecond), out.Sessions)
	return out
}

// work lets the load go on for a while, and longer on a slow machine: until enough was acknowledged
// to prove something.
func (s storm) work(l *law.Log, shop *site.Site) {
	time.Sleep(s.calm)
	writes, changes := l.Counts().Acked, shop.Acked()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if l.Counts().Acked >= writes+25 && shop.Acked() >= changes+10 {
			return
		}
	}
}

// exact asserts that nothing at all was lost, and that the storm was one.
func (o outcome) exact(t *testing.T) {
	t.Helper()
	if err := o.Verdict.Err(); err != nil {
		t.Error(err)
	}
	if o.site.Lost+o.site.Resurrected+len(o.site.Ended) > 0 {
		t.Errorf("visitors: %d changes lost, %d sessions alive again, met an ended session: %q", o.site.Lost, o.site.Resurrected, o.site.Ended)
	}
	o.polite(t)
}

// polite asserts what must hold whatever an engine loses: no visitor was told a lie.
func (o outcome) polite(t *testing.T) {
	t.Helper()
	for i, b := range o.site.Breaches {
		if i == 5 {
			t.Errorf("and %d more", len(o.site.Breaches)-i)
			break
		}
		t.Error("visitor:", b)
	}
	if o.Acked < 50 || o.site.Acked < 20 {
		t.Errorf("only %d writes and %d changes of visitors were acknowledged: the run proves nothing", o.Acked, o.site.Acked)
	}
}

// nodes is how many nodes of the application work in each storm.
const nodes = 2

// stores opens a store for each node of the application.
func (m *machine) stores(t *testing.T) (all []store.Store) {
	n := network(t)
	for range nodes {
		all = append(all, m.open(t, n))
	}
	return all
}

// hurt asserts that the strike was felt: acts failed, or waited for a while and then succeeded.
func (o outcome) hurt(t *testing.T) {
	t.Helper()
	if o.Unavailable+o.Indeterminate == 0 && o.Outage < 500*time.Millisecond {
		t.Error("no act failed or waited: the strike missed")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
