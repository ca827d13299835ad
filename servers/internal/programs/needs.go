package programs

// A Source says where a program comes from when the machine lacks it.
type Source int

// The sources. Servers are unpacked into the cache, so that nothing of them starts by itself, now
// or when the machine boots, and no configuration of the machine changes.
const (
	System  Source = iota // installed on the machine by apt-get
	OwnDeb                // unpacked from packages of the machine's own release
	NextDeb               // unpacked from packages of Debian's next one
	NPM                   // a file of a package of npm
)

// A Package is where a program comes from.
type Package struct {
	Source Source
	Debs   []string // the packages
}

// Packages of each program.
var Packages = map[Program]Package{
	CC:            {System, []string{"gcc", "libc6-dev"}},
	Chromium:      {System, []string{"chromium"}},
	Strace:        {System, []string{"strace"}},
	Java:          {System, []string{"openjdk-17-jre-headless"}}, // of no use unless its package is configured
	Maven:         {System, []string{"maven"}},
	Redis:         {OwnDeb, []string{"redis-server"}},
	RedisCLI:      {OwnDeb, []string{"redis-tools"}},
	Initdb:        {OwnDeb, []string{"postgresql"}},
	Postgres:      {OwnDeb, []string{"postgresql"}},
	PgBouncer:     {OwnDeb, []string{"pgbouncer"}},
	MariaDB:       {OwnDeb, []string{"mariadb-server-core"}},
	MariaDBCreate: {OwnDeb, []string{"mariadb-server-core", "mariadb-client-core"}},
	Valkey:        {NextDeb, []string{"valkey-server"}},
	MySQL:         {NextDeb, []string{"mysql-server-core"}},
	Nginx:         {OwnDeb, []string{"nginx"}},
	HAProxy:       {OwnDeb, []string{"haproxy"}},
	Caddy:         {OwnDeb, []string{"caddy"}},
	Npm:           {System, []string{"npm"}},
	Axe:           {NPM, []string{"axe-core@" + AxeVersion}},
}

// Needs are the programs that each server needs to run. Cassandra also needs its jars.
var Needs = map[string][]Program{
	"redis":             {Redis},
	"redis-cluster":     {Redis, RedisCLI},
	"redis-sentinel":    {Redis},
	"valkey":            {Valkey},
	"postgres":          {Initdb, Postgres},
	"pgbouncer":         {Initdb, Postgres, PgBouncer},
	"mysql":             {MySQL},
	"mariadb":           {MariaDB, MariaDBCreate},
	"cassandra":         {Java},
	"cassandra-cluster": {Java},
}

// Missing lists what the server needs and this machine lacks; jars says whether Cassandra's are
// among it.
func Missing(server string) (missing []Program, jars bool) {
	for _, p := range Needs[server] {
		if _, err := Find(p); err != nil {
			missing = append(missing, p)
		}
	}
	if len(Needs[server]) > 0 && Needs[server][0] == Java {
		_, err := CassandraJars()
		jars = err != nil
	}
	return missing, jars
}
