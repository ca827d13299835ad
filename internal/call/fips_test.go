package call

import _ "github.com/sojourn-go/sojourn/store/fipstest" // bubbles draw random bytes
