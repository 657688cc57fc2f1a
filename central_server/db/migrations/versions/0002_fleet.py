"""agents are configured from afar, ask to be let in, and their clocks are followed"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('JoinRequest',
    sa.Column('request_id', sa.String(length=64), nullable=False),
    sa.Column('pairing', sa.String(length=32), nullable=False),
    sa.Column('hardware_id', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('version', sa.String(length=40), nullable=False),
    sa.Column('address', sa.String(length=64), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('secrets', sa.LargeBinary(), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decided_by', sa.String(length=64), nullable=False),
    sa.Column('site_id', sa.String(length=32), nullable=True),
    sa.Column('agent_id', sa.String(length=32), nullable=True),
    sa.ForeignKeyConstraint(['site_id'], ['Site.site_id'], name=op.f('fk_JoinRequest_site_id_Site')),
    sa.PrimaryKeyConstraint('request_id', name=op.f('pk_JoinRequest')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_JoinRequest_token_hash'))
    )
    op.create_table('AgentConfig',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('agent_id', sa.String(length=32), nullable=False),
    sa.Column('gen', sa.Integer(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('made_by', sa.String(length=64), nullable=False),
    sa.Column('note', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['Agent.agent_id'], name=op.f('fk_AgentConfig_agent_id_Agent')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_AgentConfig')),
    sa.UniqueConstraint('agent_id', 'gen', name=op.f('uq_AgentConfig_agent_id_gen'))
    )
    with op.batch_alter_table('AgentConfig', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_AgentConfig_agent_id'), ['agent_id'], unique=False)

    op.create_table('DayDue',
    sa.Column('employee_id', sa.String(length=64), nullable=False),
    sa.Column('business_date', sa.Date(), nullable=False),
    sa.Column('marked_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('employee_id', 'business_date', name=op.f('pk_DayDue'))
    )
    with op.batch_alter_table('DayDue', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_DayDue_marked_at'), ['marked_at'], unique=False)

    with op.batch_alter_table('Agent', schema=None) as batch_op:
        batch_op.alter_column('skew_ms', existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=True)
        batch_op.add_column(sa.Column('road', sa.String(length=8), nullable=False, server_default='mqtt'))
        batch_op.add_column(sa.Column('instances', sa.JSON(), nullable=False, server_default='[]'))
        batch_op.add_column(sa.Column('cloned_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('boots', sa.JSON(), nullable=False, server_default='{}'))
        batch_op.add_column(sa.Column('clock_off_ms', sa.BigInteger(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('config_gen', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('config_applied', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('config_tried', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('config_origin', sa.String(length=16), nullable=False, server_default='local'))
        batch_op.add_column(sa.Column('config_errors', sa.JSON(), nullable=False, server_default='[]'))

    with op.batch_alter_table('EventMark', schema=None) as batch_op:
        batch_op.add_column(sa.Column('repeats', sa.Integer(), nullable=False, server_default='0'))

    with op.batch_alter_table('Event', schema=None) as batch_op:
        batch_op.add_column(sa.Column('clock_off_ms', sa.BigInteger(), nullable=False, server_default='0'))



def downgrade() -> None:
    with op.batch_alter_table('Event', schema=None) as batch_op:
        batch_op.drop_column('clock_off_ms')

    with op.batch_alter_table('EventMark', schema=None) as batch_op:
        batch_op.drop_column('repeats')

    with op.batch_alter_table('Agent', schema=None) as batch_op:
        batch_op.alter_column('skew_ms', existing_type=sa.BigInteger(), type_=sa.Integer(), existing_nullable=True)
        batch_op.drop_column('config_errors')
        batch_op.drop_column('config_origin')
        batch_op.drop_column('config_tried')
        batch_op.drop_column('config_applied')
        batch_op.drop_column('config_gen')
        batch_op.drop_column('clock_off_ms')
        batch_op.drop_column('boots')
        batch_op.drop_column('cloned_at')
        batch_op.drop_column('instances')
        batch_op.drop_column('road')

    with op.batch_alter_table('AgentConfig', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_AgentConfig_agent_id'))

    with op.batch_alter_table('DayDue', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_DayDue_marked_at'))

    op.drop_table('DayDue')
    op.drop_table('AgentConfig')
    op.drop_table('JoinRequest')
