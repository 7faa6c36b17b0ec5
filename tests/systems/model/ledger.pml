/*
 * One web order on its way into the ERP, with two workers who both take it for theirs.
 *
 * The ledger's row, the ERP and what flies between them are the globals. A worker does
 * what sync/flows/orders/work.py does, a step at a time: claim, look the key up, freeze
 * the instruction, send it, record. Any of these may go wrong: a worker dies, a lease
 * runs out under a worker that is only slow, a request or an answer is lost, a write
 * arrives long after nobody waits for it any more. Spin tries every order of all that.
 *
 *   UNIQUE    the ERP refuses a second order under the same key
 *   FENCED    a write into the ledger names the token of its claim
 *   LOOKS     the key is looked up before anything is sent
 *   REVIEWS   what went out to an ERP without a unique key is not sent again by itself
 *   PERSON    somebody looks at such an order, does not see it yet, and replays it
 *   EXPIRES   the lease of a worker that died runs out
 *
 * What is claimed: the ERP never has the order twice (orders <= 1), an import is never
 * forgotten (state != IMPORTED before a step backwards), and when everything has come to
 * rest the order is in the ERP and the ledger says so. A row that nobody would ever take
 * up again is a state in which the workers wait for ever, which Spin calls invalid.
 */

#ifndef UNIQUE
#define UNIQUE 1
#endif
#ifndef FENCED
#define FENCED 1
#endif
#ifndef LOOKS
#define LOOKS 1
#endif
#ifndef REVIEWS
#define REVIEWS 1
#endif
#ifndef PERSON
#define PERSON 0
#endif
#ifndef EXPIRES
#define EXPIRES 1
#endif

#define WORKERS 2
#define CRASHES 2
#define THEFTS  2
#define LOSSES  1    /* of requests; an answer may be lost, or come too late, at any time */

mtype = { DISCOVERED, SUBMITTING, IMPORTED, REVIEW };
mtype = { NOTHING, TAKEN, REFUSED };

/* The ledger's row. */
mtype state = DISCOVERED;
byte token = 0;
bool leased = false;
bool abandoned = false;     /* whoever holds the lease is dead */
byte holder = WORKERS;
bool frozen = false;

/* The ERP, and what is on the way to it and back. */
byte orders = 0;
bool flying[WORKERS] = false;
mtype answer[WORKERS] = NOTHING;

byte crashes = 0, thefts = 0, losses = 0, ended = 0;

#define OPEN       (state == DISCOVERED || state == SUBMITTING)
#define TO_BE_HAD  (!leased || (EXPIRES && (abandoned || thefts < THEFTS)))

/* An attempt ends; what it knew counts for nothing in the next one. */
#define LEAVE      mine = 0; found = false; resumes = false; goto idle

#define MAY_DIE                                                                    \
    if                                                                             \
    :: atomic { crashes < CRASHES -> crashes++;                                    \
                if :: holder == me && leased -> abandoned = true :: else fi;       \
                LEAVE }                                                            \
    :: skip                                                                        \
    fi

/* A transaction of the ledger. Whoever was overtaken stops here. */
#define WRITE(steps)                                                               \
    atomic {                                                                       \
        if                                                                         \
        :: !FENCED || (leased && token == mine) -> steps                           \
        :: else -> LEAVE                                                           \
        fi                                                                         \
    }

#define BACK_TO(next)  assert(state != IMPORTED); state = next; leased = false

#define LOOK_UP                                                                    \
    if                                                                             \
    :: LOOKS -> found = (orders > 0)                                               \
    :: else  -> found = false                                                      \
    fi

proctype worker(byte me)
{
    byte mine = 0;
    bool found = false, resumes = false;

idle:
    do
    :: atomic {
        OPEN && TO_BE_HAD ->
        if
        :: leased && !abandoned -> thefts++
        :: else
        fi;
        token++;
        mine = token; holder = me; leased = true; abandoned = false;
        state = SUBMITTING;
        resumes = frozen
       }
       break
    :: atomic { (state == IMPORTED || state == REVIEW) && !PERSON -> goto over }
    :: atomic { state == IMPORTED -> goto over }
    od;

    MAY_DIE;
    LOOK_UP;
    MAY_DIE;

    if
    :: resumes && !found && !UNIQUE && REVIEWS ->
        WRITE(BACK_TO(REVIEW); LEAVE)
    :: !resumes ->
        WRITE(frozen = true);
        MAY_DIE
    :: else
    fi;

    if
    :: found -> goto record
    :: else
    fi;

    /* Send it; what the last one was answered is not taken for this one's answer. */
    atomic { !flying[me] -> answer[me] = NOTHING };
    MAY_DIE;
    if
    :: flying[me] = true
    :: atomic { losses < LOSSES -> losses++ }          /* lost, and nobody knows */
    :: atomic { losses < LOSSES -> losses++ };         /* surely not sent: think again */
        WRITE(BACK_TO(DISCOVERED); frozen = false; LEAVE)
    fi;
    MAY_DIE;

    if
    :: answer[me] == TAKEN -> skip
    :: answer[me] == REFUSED ->                        /* somebody else's came first */
        assert(orders > 0)
    :: true ->                                         /* no answer in time: unknown */
        WRITE(BACK_TO(SUBMITTING); LEAVE)
    fi;

record:
    MAY_DIE;
    WRITE(state = IMPORTED; leased = false; LEAVE);

over:
    ended++
}

/* Takes what arrives, whenever it arrives. */
proctype erp()
{
    byte from;
end:
    do
    :: atomic { flying[0] -> from = 0 }; goto take
    :: atomic { flying[1] -> from = 1 }; goto take
    od;
take:
    atomic {
        flying[from] = false;
        if
        :: UNIQUE && orders > 0 -> answer[from] = REFUSED
        :: else -> orders++; assert(orders <= 1); answer[from] = TAKEN
        fi;
        if
        :: answer[from] = NOTHING                      /* the answer is lost */
        :: skip
        fi
    };
    goto end
}

/* Sees nothing in the ERP, and says: once more. */
proctype person()
{
end:
    atomic { PERSON && state == REVIEW -> state = DISCOVERED; frozen = false };
endseen:
    do
    :: atomic { state == REVIEW -> state = IMPORTED }   /* the second time they let it be */
    od
}

/* When everything has come to rest. */
proctype auditor()
{
    ended == WORKERS && !flying[0] && !flying[1];
    if
    :: state == IMPORTED && !PERSON -> assert(orders == 1)
    :: state == IMPORTED && PERSON -> skip
    :: state == REVIEW -> assert(REVIEWS && !UNIQUE)
    fi
}

init
{
    atomic { run worker(0); run worker(1); run erp(); run person(); run auditor() }
}
